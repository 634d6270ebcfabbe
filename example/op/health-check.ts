import type { Middleware } from 'koa'
import type { BackChannelLogout } from 'oidc-provider-eventstore/plugins/back-channel-logout'

/**
 * For a load balancer or a probe, under `/health`: 200 or 503, and no more than that. Names of clients and errors are for
 * operators, who find all of it in their console.
 */
export function healthCheck(logout: BackChannelLogout): Middleware {
  return async (ctx, next) => {
    if (ctx.path !== '/health' || (ctx.method !== 'GET' && ctx.method !== 'HEAD')) return next()
    const { isWell } = await logout.health()
    ctx.status = isWell ? 200 : 503
    ctx.body = { isWell }
    ctx.set('Cache-Control', 'no-store')
  }
}
