import type { BackChannelLogout } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { OptionInvalidError, type RequestContext } from '../../lib/index.ts'
import { assertKnownOptions } from '../../lib/known-options.ts'
import type { Layout } from './page/layout.ts'
import { type AccountSessionsTexts, TEXTS } from './page/texts.ts'
import type { LoginDescription } from './remembered/description.ts'
import type { LoginReason, SignedIn } from './who/signed-in.ts'

/** What is known of somebody who is to log in. */
export interface LoginRequest {
  /** Nobody is signed in, or the login is too long ago to end or revoke anything. */
  readonly reason: LoginReason
  /** The page's path: where to come back to. */
  readonly returnTo: string
}

/** How the page of an account's devices and apps is set up. `Context` is the request of the framework that it is in. */
export interface AccountSessionsOptions<Context> {
  /** The plugin that ends sessions and tells RPs: the one that is given to the same `eventSourced()`. */
  readonly logout: BackChannelLogout
  /** Says who uses the page: asked at each request. Undefined: nobody is signed in. */
  readonly authenticate: (context: Context) => SignedIn | undefined | Promise<SignedIn | undefined>
  /** Where to log in, or to log in again: a URL or a path, or a function that makes one. */
  readonly login: string | ((context: Context, request: LoginRequest) => string | Promise<string>)
  /**
   * What to remember of a login, for its account to see: asked in the request of the provider that logs in. It is sealed,
   * and gone with the session, or when the account is forgotten. Default: nothing.
   */
  readonly describe?: (ctx: RequestContext) => LoginDescription | undefined | Promise<LoginDescription | undefined>
  /** The page's path, as browsers see it. Default: `/account/sessions`. */
  readonly basePath?: string
  /**
   * The origin of the page as browsers see it, where a proxy asks for it under another host. Default: the host that was
   * asked.
   */
  readonly origin?: string
  /** How long after a login something may be ended or revoked, in milliseconds. Default: ten minutes. */
  readonly recentLoginMs?: number
  /** Client ids of the application's own, that are not shown as apps. */
  readonly ownClients?: readonly string[]
  /** The application's own look. Default: a plain page. */
  readonly layout?: Layout<Context>
  /** What the page says, where it is to say something else. */
  readonly texts?: Partial<AccountSessionsTexts>
  /** What scopes allow, in words. Default: those of OpenID Connect; others are shown as they are called. */
  readonly scopes?: Readonly<Record<string, string>>
  /** The language of the texts, as a BCP 47 tag: lists and times are written as it does. Default: `en`. */
  readonly language?: string
}

const OPTIONS: readonly (keyof AccountSessionsOptions<never>)[] = [
  'logout',
  'authenticate',
  'login',
  'describe',
  'basePath',
  'origin',
  'recentLoginMs',
  'ownClients',
  'layout',
  'texts',
  'scopes',
  'language',
]

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertOptions<Context>(options: AccountSessionsOptions<Context>): void {
  assertKnownOptions(options, OPTIONS)
  const { logout, authenticate, login, origin, recentLoginMs, ownClients } = options
  if (typeof logout?.terminateClientOfAccount !== 'function')
    throw new OptionInvalidError('logout', 'must be what backChannelLogout() returns')
  if (typeof authenticate !== 'function')
    throw new OptionInvalidError('authenticate', 'must be a function that says who uses the page')
  if (typeof login !== 'function' && (typeof login !== 'string' || login === ''))
    throw new OptionInvalidError('login', 'must be a URL or a path where users log in, or a function that makes one')
  for (const name of ['describe', 'layout'] as const) {
    if (options[name] !== undefined && typeof options[name] !== 'function')
      throw new OptionInvalidError(name, 'must be a function')
  }
  if (origin !== undefined && !isOrigin(origin))
    throw new OptionInvalidError('origin', 'must be an origin without a path, for example https://op.example.com')
  if (recentLoginMs !== undefined && !(Number.isSafeInteger(recentLoginMs) && recentLoginMs > 0))
    throw new OptionInvalidError('recentLoginMs', 'must be milliseconds: a whole number from 1')
  if (ownClients !== undefined && !(Array.isArray(ownClients) && ownClients.every((id) => typeof id === 'string')))
    throw new OptionInvalidError('ownClients', 'must be an array of client ids')
  assertWords(options)
}

function assertWords({ texts, scopes, language }: AccountSessionsOptions<never>): void {
  if (texts !== undefined) assertKnownOptions(texts, Object.keys(TEXTS), 'texts')
  for (const [option, words] of Object.entries({ texts, scopes })) {
    const isWords = words === undefined || (typeof words === 'object' && words !== null)
    if (!isWords || Object.values(words ?? {}).some((text) => typeof text !== 'string'))
      throw new OptionInvalidError(option, 'must be an object of texts')
  }
  if (language === undefined) return
  try {
    Intl.getCanonicalLocales(language)
  } catch {
    throw new OptionInvalidError('language', 'must be a BCP 47 tag, for example de-AT')
  }
}

function isOrigin(origin: unknown): boolean {
  return typeof origin === 'string' && URL.canParse(origin) && new URL(origin).origin === origin
}
