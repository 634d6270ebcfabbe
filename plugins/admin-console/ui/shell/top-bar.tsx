import { isHelpOpen } from '../browser/shortcuts.ts'
import { Icon } from '../parts/icon.tsx'
import { counted } from '../parts/words.ts'
import { hrefOf } from '../routing/location.ts'
import { operations } from '../server/operations.ts'
import { LiveIndicator } from './live-indicator.tsx'
import { isMenuOpen } from './navigation.tsx'
import { ProblemsBadge } from './problems-badge.tsx'
import { ThemeChoice } from './theme-choice.tsx'
import { Who } from './who.tsx'

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
        Operators’ console
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
