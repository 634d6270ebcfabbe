/**
 * Whether a request comes from a page of the site's own origin, or from no page at all. Cookies alone do not tell: those
 * of another port of the same host are sent along, and `SameSite` takes it for the same site.
 *
 * Browsers say where a request comes from (`Sec-Fetch-Site`, Fetch Metadata section 2.3, and `Origin`, Fetch section
 * 3.2), and no page can make them say otherwise. Whoever says neither may look, and change nothing.
 *
 * @param origin the origin under which browsers see the site. Without it `Origin` is compared with the host that was
 * asked, whatever the scheme: a proxy may end TLS.
 */
export function isSameOrigin(request: Request, origin?: string): boolean {
  const site = request.headers.get('Sec-Fetch-Site')
  const from = request.headers.get('Origin')
  const isLooking = request.method === 'GET' || request.method === 'HEAD'
  // `none`: the user has typed the address, or opened a bookmark.
  if (site !== null && site !== 'same-origin' && !(site === 'none' && isLooking)) return false
  if (from !== null) return origin === undefined ? hostOf(from) === hostAsked(request) : from === origin
  return site === 'same-origin' || isLooking
}

function hostAsked(request: Request): string {
  return request.headers.get('Host') ?? new URL(request.url).host
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
