import { type Signal, signal } from '@preact/signals'

export const THEMES = ['system', 'light', 'dark'] as const

/** `system`: as the operating system says. */
export type Theme = (typeof THEMES)[number]

const KEY = 'admin-console.theme'

/** How the console looks: kept in this browser. */
export const theme: Signal<Theme> = signal('system')

/** Reads what was chosen before, and follows what is chosen. */
export function startTheme(): void {
  theme.value = THEMES.find((one) => one === stored()) ?? 'system'
  theme.subscribe((value) => {
    if (value === 'system') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = value
    store(value)
  })
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null // the browser keeps nothing for this page
  }
}

function store(value: Theme): void {
  try {
    localStorage.setItem(KEY, value)
  } catch {
    // It stays for as long as the page does.
  }
}
