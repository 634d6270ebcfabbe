import type { LoggedOutSessions } from './logged-out-sessions.ts'

/** Generic, so that `app.use` leaves the type of the application's own context as it was. */
export type KoaSessionCheck = <Context extends object>(ctx: Context, next: () => Promise<unknown>) => Promise<void>

/** As much of a context with koa-session as is used here. */
interface WithSession {
  session?: object | null
}

/**
 * Koa middleware, right after koa-session: a session that was logged out is destroyed, in its store and in the browser,
 * and the request goes on with an empty one under another id. The request fails when the store of logouts does.
 */
export function koaSessionCheck({ isLoggedOut }: Pick<LoggedOutSessions, 'isLoggedOut'>): KoaSessionCheck {
  return async function endLoggedOutSession(ctx: WithSession, next) {
    if (await isLoggedOut(ctx.session)) {
      // Not null: the application would find no session where it has always found one. And not the empty session
      // alone: it would keep the id.
      ctx.session = {}
      await (ctx.session as { regenerate(): Promise<void> }).regenerate()
    }
    await next()
  }
}
