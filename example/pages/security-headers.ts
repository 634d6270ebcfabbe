import type { Middleware } from 'koa'

/**
 * Nothing but what the page's own origin serves: no inline script, no inline style, no frame.
 *
 * @param alsoSubmitsTo - origins that an answer to a form may redirect to: browsers hold `form-action` against every
 *   hop, and a login ends at the RP, a logout begins there
 */
export function securityHeaders(alsoSubmitsTo: readonly string[]): Middleware {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    `form-action 'self' ${alsoSubmitsTo.join(' ')}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ')
  return async (ctx, next) => {
    ctx.set({
      'Content-Security-Policy': policy,
      'Referrer-Policy': 'no-referrer', // codes and states are in URLs
      'X-Content-Type-Options': 'nosniff',
    })
    await next()
  }
}
