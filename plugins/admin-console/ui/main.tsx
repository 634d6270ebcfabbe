import { render } from 'preact'
import { startClock } from './browser/clock.ts'
import { startShortcuts } from './browser/shortcuts.ts'
import { startTheme } from './browser/theme.ts'
import { startRouting } from './routing/location.ts'
import { startLive } from './server/live.ts'
import { App } from './shell/app.tsx'
import { startMe } from './shell/me.ts'
import './styles/console.css'

startTheme()
startClock()
startRouting()
startShortcuts()
void startMe()
startLive()

const root = document.createElement('div')
root.id = 'console'
document.body.append(root)
render(<App />, root)
