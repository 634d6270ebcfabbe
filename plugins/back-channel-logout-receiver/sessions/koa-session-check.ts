import { positiveNumber, requireKnownOptions, requireSessions } from '../option-error.ts'
import { ReceiverStoreError } from '../receiver-store-error.ts'
import { withTimeout } from '../time-limit.ts'
import type { LoggedOutSessions } from './logged-out-sessions.ts'

/** Generic, so that `app.use` keeps the type of the application's context. */
export type KoaSessionCheck = <Context extends object>(ctx: Context, next: () => Promise<unknown>) => Promise<void>

/** The members of a context with koa-session that are used. */
interface WithSession {
  session?: object | null
}

/**
 * Koa middleware, to be used directly after koa-session. A session that was logged out is destroyed, in its store and in
 * the browser, and the request continues with an empty one under a new id. The request fails when the store of logouts
 * fails, and when the session store has not responded within `timeoutMs` milliseconds (default 5000).
 *
 * @throws {ReceiverOptionError} `OPTION_INVALID`
 */
export function koaSessionCheck(
  sessions: Pick<LoggedOutSessions, 'isLoggedOut'>,
  options: { timeoutMs?: number } = {},
): KoaSessionCheck {
  requireSessions(sessions, ['isLoggedOut'])
  requireKnownOptions(options, ['timeoutMs'])
  const timeoutMs = positiveNumber('timeoutMs', options.timeoutMs, 5_000)
  const late = (): Error => new ReceiverStoreError(`the session store has not responded within ${timeoutMs} ms`)
  return async function endLoggedOutSession(ctx: WithSession, next) {
    if (await sessions.isLoggedOut(ctx.session)) {
      // Not null: the application expects a session. And an empty session alone would keep the id.
      ctx.session = {}
      const fresh = ctx.session as { regenerate(): Promise<void> }
      await withTimeout(() => fresh.regenerate(), timeoutMs, late)
    }
    await next()
  }
}
