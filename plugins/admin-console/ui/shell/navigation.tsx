import { signal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { hrefOf, place } from '../routing/location.ts'
import { entryOf, SCREENS } from '../routing/screens.ts'
import { ThemeChoice } from './theme-choice.tsx'
import { Who } from './who.tsx'

const GROUPS = ['Now', 'Deliveries', 'System'] as const

/** Whether the menu is open, on a phone. */
export const isMenuOpen = signal(false)

export function Navigation() {
  const { path } = place.value
  const current = entryOf(path)
  useEffect(() => {
    isMenuOpen.value = false
  }, [path])
  return (
    <nav id="navigation" class={isMenuOpen.value ? 'navigation open' : 'navigation'} aria-label="Screens">
      {GROUPS.map((group) => (
        <div key={group} class="group">
          <h2 id={`group-${group}`}>{group}</h2>
          <ul aria-labelledby={`group-${group}`}>
            {SCREENS.filter((screen) => screen.group === group).map((screen) => (
              <li key={screen.path}>
                <a href={hrefOf(screen.path)} aria-current={screen === current ? 'page' : undefined}>
                  <span>{screen.name}</span>
                  <span class="key-hint" aria-hidden="true">
                    g {screen.letter}
                  </span>
                </a>
              </li>
            ))}
          </ul>
        </div>
      ))}
      <div class="group on-phone">
        <ThemeChoice />
        <Who />
      </div>
    </nav>
  )
}
