import { type ReadonlySignal, signal } from '@preact/signals'

/** Where the operator is: below the base path, and what the query says. */
export interface Place {
  /** Begins with a slash. */
  readonly path: string
  readonly query: URLSearchParams
  /** The places of the pages of a list before this one, the first one first. */
  readonly trail: readonly string[]
}

/** Where the console is mounted; empty at the root of a server. The server writes it into the page. */
export const basePath: string = document.querySelector<HTMLMetaElement>('meta[name="base-path"]')?.content ?? ''

const current = signal<Place>(placeNow())

export const place: ReadonlySignal<Place> = current

/** What the query of this place says; undefined where it says nothing. */
export function inQuery(name: string): string | undefined {
  return current.value.query.get(name) ?? undefined
}

/** What a link to a place of the console holds. */
export function hrefOf(to: string): string {
  return `${basePath}${to}`
}

/** Goes to a place of the console, for example `/sessions?account=alice`. */
export function navigate(to: string, { replace = false, trail = [] as readonly string[] } = {}): void {
  const state = { trail }
  if (replace) history.replaceState(state, '', hrefOf(to))
  else history.pushState(state, '', hrefOf(to))
  current.value = placeNow()
}

/** Says something else in the query of this place. Undefined and empty values leave it. Leads to the first page of lists. */
export function changeQuery(
  changes: Readonly<Record<string, string | undefined>>,
  options: { readonly replace?: boolean } = {},
): void {
  navigate(withQuery({ cursor: undefined, ...changes }), options)
}

/** This place with something else in its query. */
export function withQuery(changes: Readonly<Record<string, string | undefined>>): string {
  const { path, query } = current.value
  const changed = new URLSearchParams(query)
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') changed.delete(name)
    else changed.set(name, value)
  }
  const text = changed.toString()
  return text === '' ? path : `${path}?${text}`
}

/** Follows the browser's own buttons, and has links of the console followed without a request for the page. */
export function startRouting(): void {
  window.addEventListener('popstate', () => {
    current.value = placeNow()
  })
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0) return
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    const link = event.target instanceof Element ? event.target.closest('a') : null
    if (link?.target !== '' || link.hasAttribute('download')) return
    const to = placeOf(new URL(link.href))
    if (to === undefined || link.getAttribute('href')?.startsWith('#')) return
    event.preventDefault()
    navigate(to)
  })
}

function placeOf({ origin, pathname, search }: URL): string | undefined {
  if (origin !== location.origin) return undefined
  if (pathname === basePath) return `/${search}`
  return pathname.startsWith(`${basePath}/`) ? `${pathname.slice(basePath.length)}${search}` : undefined
}

function placeNow(): Place {
  const path = location.pathname.slice(basePath.length)
  const { trail } = (history.state ?? {}) as { trail?: unknown }
  return {
    path: path === '' ? '/' : path,
    query: new URLSearchParams(location.search),
    trail: Array.isArray(trail) ? trail.filter((one) => typeof one === 'string') : [],
  }
}
