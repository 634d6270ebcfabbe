import { isHelpOpen } from '../browser/shortcuts.ts'
import { THEMES, theme } from '../browser/theme.ts'
import { Chip } from '../parts/chip.tsx'
import { Icon } from '../parts/icon.tsx'
import { counted } from '../parts/words.ts'
import { hrefOf } from '../routing/location.ts'
import { operations } from '../server/operations.ts'
import { LiveIndicator } from './live-indicator.tsx'
import { me, meFailure } from './me.ts'
import { isMenuOpen } from './navigation.tsx'
import { ProblemsBadge } from './problems-badge.tsx'

/** What is there on every screen: whether it is live, what needs somebody, and who that is. */
export function TopBar() {
  return (
    <header class="top-bar">
      <button
        type="button"
        class="bare menu-button"
        aria-expanded={isMenuOpen.value}
        aria-controls="navigation"
        aria-label="Menu"
        onClick={() => {
          isMenuOpen.value = !isMenuOpen.value
        }}
      >
        <Icon name="menu" />
      </button>
      <a class="brand" href={hrefOf('/')}>
        Admin console
      </a>
      <ProblemsBadge />
      <Running />
      <span class="spacer" />
      <LiveIndicator />
      <ThemeChoice />
      <button
        type="button"
        class="bare help-button"
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts (?)"
        onClick={() => {
          isHelpOpen.value = true
        }}
      >
        ?
      </button>
      <Who />
    </header>
  )
}

function Running() {
  const count = [...operations.value.values()].filter(({ state }) => state === 'running').length
  if (count === 0) return null
  return (
    <a class="badge busy" href={hrefOf('/terminations')}>
      <span class="spinner" aria-hidden="true" /> {counted(count, 'operation')} running
    </a>
  )
}

const THEME_NAMES = { system: 'System', light: 'Light', dark: 'Dark' } as const

function ThemeChoice() {
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

function Who() {
  const who = me.value
  if (!who) return <span class="who">{meFailure.value ? 'Not known' : ''}</span>
  return (
    <div class="who">
      <span class="who-name" title={`Signed in as ${who.name}`}>
        <span class="visually-hidden">Signed in as </span>
        {who.name}
      </span>
      <Chip tone="quiet" icon={who.role === 'operator' ? 'check' : 'search'} text={who.role} />
      {who.signOutUrl !== undefined && (
        <form method="post" action={who.signOutUrl}>
          <button type="submit" class="small">
            Sign out
          </button>
        </form>
      )}
    </div>
  )
}
