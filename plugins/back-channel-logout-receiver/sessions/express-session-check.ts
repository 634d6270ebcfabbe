import { positiveNumber, requireKnownOptions, requireSessions } from '../option-error.ts'
import { ReceiverStoreError } from '../receiver-store-error.ts'
import { withTimeout } from '../time-limit.ts'
import type { LoggedOutSessions } from './logged-out-sessions.ts'

/** The members of a request with express-session that are used. */
export interface ExpressSessionRequest {
  readonly session?: { regenerate(callback: (error: unknown) => void): unknown }
}

/** Express middleware, for versions 4 and 5. */
export type ExpressSessionCheck = (
  req: ExpressSessionRequest,
  res: unknown,
  next: (error?: unknown) => void,
) => Promise<void>

/**
 * Express middleware, to be used directly after express-session. A session that was logged out is destroyed in its store,
 * and the request continues with an empty one under a new id. The request fails when the store of logouts fails, and when
 * the session store has not responded within `timeoutMs` milliseconds (default 5000).
 *
 * @throws {ReceiverOptionError} `OPTION_INVALID`
 */
export function expressSessionCheck(
  sessions: Pick<LoggedOutSessions, 'isLoggedOut'>,
  options: { timeoutMs?: number } = {},
): ExpressSessionCheck {
  requireSessions(sessions, ['isLoggedOut'])
  requireKnownOptions(options, ['timeoutMs'])
  const timeoutMs = positiveNumber('timeoutMs', options.timeoutMs, 5_000)
  return async function endLoggedOutSession({ session }, _res, next) {
    let error: unknown
    try {
      if (session !== undefined && (await sessions.isLoggedOut(session))) await regenerateSession(session, timeoutMs)
    } catch (reason) {
      error = reason ?? new Error('the session could not be checked')
    }
    next(error)
  }
}

function regenerateSession(session: NonNullable<ExpressSessionRequest['session']>, timeoutMs: number): Promise<void> {
  const regenerate = (): Promise<void> =>
    new Promise((resolve, reject) => {
      session.regenerate((error) => (error ? reject(error) : resolve()))
    })
  const late = (): Error => new ReceiverStoreError(`the session store has not responded within ${timeoutMs} ms`)
  return withTimeout(regenerate, timeoutMs, late)
}
