import type { Clock } from '../clock.ts'
import type { Meta } from '../log/commit.ts'
import type { ModelLog } from './model-log.ts'
import type { Sealer } from './model-state.ts'
import type { RecentSessions } from './recent-sessions.ts'
import type { Cause, SessionObserver } from './session-change.ts'
import type { WriteTurns } from './write-turns.ts'

/** What seals the states that a unit stores. */
export function sealerOf({ log, meta }: UnitContext): Sealer {
  return { keys: log.accountKeys, issuer: meta.instance ?? '' }
}

/** What a unit of work works with. */
export interface UnitContext {
  readonly log: ModelLog
  readonly clock: Clock
  readonly meta: Meta
  readonly observers: readonly SessionObserver[]
  /** What application code has read of sessions. */
  readonly recentSessions: RecentSessions
  /** Commits of this process that write one session go one after the other. */
  readonly writeTurns: WriteTurns
  /** Ends a session that began too late. */
  endSession(uid: string, cause: Cause): Promise<void>
}
