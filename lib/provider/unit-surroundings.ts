import type { Clock } from '../clock.ts'
import type { Meta } from '../log/commit.ts'
import type { ModelLog } from './model-log.ts'
import type { RecentSessions } from './recent-sessions.ts'
import type { SessionObserver } from './session-change.ts'

/** What a unit of work needs from around it. */
export interface UnitSurroundings {
  readonly log: ModelLog
  readonly clock: Clock
  readonly meta: Meta
  readonly observers: readonly SessionObserver[]
  /** What application code has read of sessions. */
  readonly recentSessions: RecentSessions
  /** Whether requests of the provider are one unit of work each; otherwise every write is one of its own. */
  readonly attached: boolean
}
