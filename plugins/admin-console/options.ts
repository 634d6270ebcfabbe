import type { BackChannelLogout } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { type Clock, type EventSourced, type EventStore, type Logger, OptionInvalidError } from '../../lib/index.ts'
import { assertKnownOptions } from '../../lib/known-options.ts'

/** Who uses the console. */
export interface Operator {
  /** Recorded with everything that he changes. */
  readonly name: string
  /** `viewer`: looks, and changes nothing. `operator`: changes. */
  readonly role: 'viewer' | 'operator'
}

/** What the application knows of its clients. */
export interface ClientDirectory {
  /**
   * Ids of clients that contain `q`, in the order of their UTF-16 code units, from behind `after` on; at most `limit`. Without
   * it the console lists the clients of the provider's configuration and those of which anything is known, and finds others
   * by their whole id.
   */
  list(query: { readonly q?: string; readonly after?: string; readonly limit: number }): Promise<readonly string[]>
}

/** How to make a console. `Context` is the framework's own request: Koa's context, Express' or Fastify's request. */
export interface AdminConsoleOptions<Context> {
  /** What `eventSourced()` made: its features are shown and switched, and it explains. */
  readonly op: Pick<EventSourced, 'features' | 'explain'>
  /** The plugin that `op` was made with. */
  readonly logout: BackChannelLogout
  /** The store that `op` was made with: its log is shown, and followed while somebody looks. */
  readonly store: EventStore
  /**
   * The application's own answer to who this is. Undefined: nobody. Asked at each request, so that whoever is signed out
   * there is out here as well.
   */
  readonly authorize: (context: Context) => Operator | undefined | Promise<Operator | undefined>
  /** Where the console is, as browsers see it. Default: `/admin`. */
  readonly basePath?: string
  /** The origin under which browsers see it. Without it `Origin` is compared with the host that was asked. */
  readonly origin?: string
  /** Where a page sends somebody who is not signed in. Default: it answers 401. */
  readonly signInUrl?: string
  /** Where the console posts a form without fields to sign out. Default: it offers none. */
  readonly signOutUrl?: string
  /** What the application knows of its clients. */
  readonly clients?: ClientDirectory
  /** The folder of the pages' built assets. Default: those of the package. */
  readonly assets?: string | URL
  readonly logger?: Logger
  readonly clock?: Clock
}

const KNOWN: readonly (keyof AdminConsoleOptions<never>)[] = [
  'op',
  'logout',
  'store',
  'authorize',
  'basePath',
  'origin',
  'signInUrl',
  'signOutUrl',
  'clients',
  'assets',
  'logger',
  'clock',
]

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertOptions(options: AdminConsoleOptions<never>): void {
  if (typeof options !== 'object' || options === null)
    throw new OptionInvalidError('op', 'must be given: adminConsole({ op, logout, store, authorize })')
  assertKnownOptions(options, KNOWN)
  const { op, logout, store, authorize, origin, signInUrl, signOutUrl, clients } = options
  if (typeof op?.explain !== 'function') throw new OptionInvalidError('op', 'must be what eventSourced() returned')
  if (typeof logout?.pages?.history !== 'function')
    throw new OptionInvalidError('logout', 'must be what backChannelLogout() returned')
  if (typeof store?.subscribe !== 'function') throw new OptionInvalidError('store', 'must be the store of the log')
  if (typeof authorize !== 'function')
    throw new OptionInvalidError('authorize', 'must be a function: without it everybody would be an operator')
  if (origin !== undefined && !isOrigin(origin))
    throw new OptionInvalidError('origin', 'must be an origin, for example https://op.example.com')
  for (const [name, url] of Object.entries({ signInUrl, signOutUrl })) {
    if (url !== undefined && !isPageUrl(url))
      throw new OptionInvalidError(name, 'must be a path that begins with a slash, or an http or https URL')
  }
  if (clients !== undefined && typeof clients?.list !== 'function')
    throw new OptionInvalidError('clients', 'must be an object with `list`')
}

function isOrigin(origin: unknown): boolean {
  return typeof origin === 'string' && URL.canParse(origin) && new URL(origin).origin === origin
}

function isPageUrl(url: unknown): boolean {
  if (typeof url !== 'string') return false
  if (/^\/(?![/\\])/.test(url)) return true
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)
}
