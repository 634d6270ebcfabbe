import type { ComponentType } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { ActionDialog } from '../actions/action-dialog.tsx'
import { focusHeading } from '../browser/focus.ts'
import { ScreenHead } from '../parts/screen-head.tsx'
import { Empty } from '../parts/states.tsx'
import { Toasts } from '../parts/toasts.tsx'
import { hrefOf, place } from '../routing/location.ts'
import { Client } from '../screens/clients/client.tsx'
import { Clients } from '../screens/clients/clients.tsx'
import { DeadLetters } from '../screens/deliveries/dead-letters.tsx'
import { Parked } from '../screens/deliveries/parked.tsx'
import { Pending } from '../screens/deliveries/pending.tsx'
import { Logout } from '../screens/logouts/logout.tsx'
import { Logouts } from '../screens/logouts/logouts.tsx'
import { Overview } from '../screens/overview/overview.tsx'
import { Sessions } from '../screens/sessions/sessions.tsx'
import { Features } from '../screens/system/features.tsx'
import { Log } from '../screens/system/log.tsx'
import { Terminations } from '../screens/system/terminations.tsx'
import { Navigation } from './navigation.tsx'
import { ShortcutHelp } from './shortcut-help.tsx'
import { SignedOut } from './signed-out.tsx'
import { TopBar } from './top-bar.tsx'

const SCREENS: ReadonlyMap<string, ComponentType> = new Map([
  ['/', Overview],
  ['/clients', Clients],
  ['/clients/one', Client],
  ['/sessions', Sessions],
  ['/logouts', Logouts],
  ['/logouts/one', Logout],
  ['/dead-letters', DeadLetters],
  ['/pending', Pending],
  ['/parked', Parked],
  ['/terminations', Terminations],
  ['/features', Features],
  ['/log', Log],
])

export function App() {
  const { path } = place.value
  const Screen = SCREENS.get(path) ?? Nowhere
  const isFirst = useRef(true)
  useEffect(() => {
    if (!isFirst.current) {
      focusHeading()
      window.scrollTo(0, 0)
    }
    isFirst.current = false
  }, [path])
  return (
    <>
      <a class="skip-link" href="#main">
        Skip to the content
      </a>
      <TopBar />
      <div class="frame">
        <Navigation />
        <main id="main" tabIndex={-1}>
          <SignedOut />
          <Screen key={path} />
        </main>
      </div>
      <Toasts />
      <ActionDialog />
      <ShortcutHelp />
    </>
  )
}

function Nowhere() {
  return (
    <>
      <ScreenHead title="There is no such page" />
      <Empty title="The address leads nowhere">
        <p>
          <a href={hrefOf('/')}>Overview</a>
        </p>
      </Empty>
    </>
  )
}
