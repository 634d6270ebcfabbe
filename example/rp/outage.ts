import type { Middleware } from 'koa'

/**
 * Plays dead: while `down`, connections to the back-channel endpoint are cut without an answer. For the example only, to
 * see what the OP makes of it.
 */
export class Outage {
  down: boolean
  constructor(down: boolean) {
    this.down = down
  }

  /** @param cut - called for each request that got no answer */
  middleware(path: string, cut: () => void): Middleware {
    return async (ctx, next) => {
      if (!this.down || ctx.path !== path) return next()
      ctx.respond = false
      ctx.req.socket.destroy()
      cut()
    }
  }
}
