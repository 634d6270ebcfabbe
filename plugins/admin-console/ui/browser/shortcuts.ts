import { signal } from '@preact/signals'
import { navigate } from '../routing/location.ts'
import { SCREENS } from '../routing/screens.ts'
import { now } from './clock.ts'
import { isTyping } from './focus.ts'

/** So long the letter after `g` is waited for, in milliseconds. */
const SEQUENCE_MS = 1_500

/** Whether the list of shortcuts is shown. */
export const isHelpOpen = signal(false)

/** Follows the keys that work everywhere: `/`, `?`, and `g` with the letter of a screen. */
export function startShortcuts(): void {
  let goUntil = 0
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
    if (document.querySelector('dialog[open]')) return
    const goes = now() < goUntil
    goUntil = 0
    if (goes) {
      const screen = SCREENS.find(({ letter }) => letter === event.key)
      if (screen) navigate(screen.path)
    } else if (event.key === 'g') goUntil = now() + SEQUENCE_MS
    else if (event.key === '?') isHelpOpen.value = true
    else if (event.key === '/') focusSearch()
    else return
    event.preventDefault()
  })
}

function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>('main [data-search]')
  field?.focus()
  field?.select()
}
