import { THEMES, theme } from '../browser/theme.ts'

const THEME_NAMES = { system: 'Auto', light: 'Light', dark: 'Dark' } as const

/** Light, dark, or as the operating system says. */
export function ThemeChoice() {
  return (
    <label class="theme-choice">
      <span class="visually-hidden">Colours</span>
      <select
        value={theme.value}
        onChange={({ currentTarget }) => {
          theme.value = THEMES.find((one) => one === currentTarget.value) ?? 'system'
        }}
      >
        {THEMES.map((one) => (
          <option key={one} value={one} selected={one === theme.value}>
            {THEME_NAMES[one]}
          </option>
        ))}
      </select>
    </label>
  )
}
