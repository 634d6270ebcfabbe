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
 * request goes on with an empty one under another id. The request fails when the store of logouts does.
 */
export function expressSessionCheck({ isLoggedOut }: Pick<LoggedOutSessions, 'isLoggedOut'>): ExpressSessionCheck {
  return async function endLoggedOutSession({ session }, _res, next) {
    let error: unknown
    try {
      if (session !== undefined && (await isLoggedOut(session))) await regenerated(session)
    } catch (reason) {
      error = reason ?? new Error('the session could not be checked')
    }
    next(error)
  }
}

function regenerated(session: NonNullable<ExpressSessionRequest['session']>): Promise<void> {
  return new Promise((resolve, reject) => {
    session.regenerate((error) => (error ? reject(error) : resolve()))
  })
}
