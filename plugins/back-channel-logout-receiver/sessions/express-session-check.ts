import { knownOptions, positive } from '../option-error.ts'
import { ReceiverStoreError } from '../receiver-store-error.ts'
import { withTimeout } from '../time-limit.ts'
import type { LoggedOutSessions } from './logged-out-sessions.ts'

/** As much of a request with express-session as is used here. */
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
 * Express middleware, right after express-session: a session that was logged out is destroyed in its store, and the
 * request goes on with an empty one under another id. The request fails when the store of logouts does, and when the
 * store of sessions has not answered within `timeoutMs` milliseconds (default 5000).
 *
 * @throws {ReceiverOptionError} `OPTION_INVALID`
 */
export function expressSessionCheck(
  { isLoggedOut }: Pick<LoggedOutSessions, 'isLoggedOut'>,
  options: { timeoutMs?: number } = {},
): ExpressSessionCheck {
  knownOptions(options, ['timeoutMs'])
  const timeoutMs = positive('timeoutMs', options.timeoutMs, 5_000)
  return async function endLoggedOutSession({ session }, _res, next) {
    let error: unknown
    try {
      if (session !== undefined && (await isLoggedOut(session))) await regenerated(session, timeoutMs)
    } catch (reason) {
      error = reason ?? new Error('the session could not be checked')
    }
    next(error)
  }
}

function regenerated(session: NonNullable<ExpressSessionRequest['session']>, timeoutMs: number): Promise<void> {
  const regenerate = (): Promise<void> =>
    new Promise((resolve, reject) => {
      session.regenerate((error) => (error ? reject(error) : resolve()))
    })
  const late = (): Error => new ReceiverStoreError(`express-session has not answered for ${timeoutMs} ms`)
  return withTimeout(regenerate, timeoutMs, late)
}
