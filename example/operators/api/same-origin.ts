import type { Context } from 'koa'

/**
 * Whether a request comes from a page of this origin, or from no page at all. Cookies alone do not tell: those of
 * another port of the same host are sent along, and `SameSite` takes it for the same site.
 *
 * Browsers say where a request comes from (`Sec-Fetch-Site`, Fetch Metadata section 2.3, and `Origin`, Fetch section
 * 3.2), and no page can make them say otherwise. Whoever says neither may look, and change nothing.
 */
export function isSameOrigin(ctx: Context, origin: string): boolean {
  const site = ctx.get('Sec-Fetch-Site')
  const from = ctx.get('Origin')
  if (site !== '' && site !== 'same-origin') return false
  if (from !== '') return from === origin
  return site === 'same-origin' || ctx.method === 'GET'
}
