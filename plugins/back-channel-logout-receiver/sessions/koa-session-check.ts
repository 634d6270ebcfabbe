import { knownOptions, positive } from '../option-error.ts'
import { ReceiverStoreError } from '../receiver-store-error.ts'
import { withTimeout } from '../time-limit.ts'
import type { LoggedOutSessions } from './logged-out-sessions.ts'

/** Generic, so that `app.use` leaves the type of the application's own context as it was. */
export type KoaSessionCheck = <Context extends object>(ctx: Context, next: () => Promise<unknown>) => Promise<void>

/** As much of a context with koa-session as is used here. */
interface WithSession {
  session?: object | null
}

/**
 * Koa middleware, right after koa-session: a session that was logged out is destroyed, in its store and in the browser,
 * and the request goes on with an empty one under another id. The request fails when the store of logouts does, and when
 * the store of sessions has not answered within `timeoutMs` milliseconds (default 5000).
 *
 * @throws {ReceiverOptionError} `OPTION_INVALID`
 */
export function koaSessionCheck(
  { isLoggedOut }: Pick<LoggedOutSessions, 'isLoggedOut'>,
  options: { timeoutMs?: number } = {},
): KoaSessionCheck {
  knownOptions(options, ['timeoutMs'])
  const timeoutMs = positive('timeoutMs', options.timeoutMs, 5_000)
  const late = (): Error => new ReceiverStoreError(`koa-session has not answered for ${timeoutMs} ms`)
  return async function endLoggedOutSession(ctx: WithSession, next) {
    if (await isLoggedOut(ctx.session)) {
      // Not null: the application would find no session where it has always found one. And not the empty session
      // alone: it would keep the id.
      ctx.session = {}
      const fresh = ctx.session as { regenerate(): Promise<void> }
      await withTimeout(() => fresh.regenerate(), timeoutMs, late)
    }
    await next()
  }
}
