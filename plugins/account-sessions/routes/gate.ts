import type { Clock } from '../../../lib/index.ts'
import { isSameOrigin } from '../../../lib/web/same-origin.ts'
import { WebError } from '../../../lib/web/web-error.ts'
import type { AccountSessionsOptions } from '../options.ts'
import { assertRecent, assertSignedIn, LoginNeededError, type LoginReason, type SignedIn } from '../who/signed-in.ts'

/** How long after a login something may be ended or revoked where the application says nothing, in milliseconds. */
const RECENT_LOGIN_MS = 600_000

/** Who may see what, and who may change it. */
export class Gate<Context> {
  readonly #options: Pick<AccountSessionsOptions<Context>, 'authenticate' | 'login' | 'origin' | 'recentLoginMs'>
  readonly #returnTo: string

  /** @param returnTo - the page's path */
  constructor(
    options: Pick<AccountSessionsOptions<Context>, 'authenticate' | 'login' | 'origin' | 'recentLoginMs'>,
    returnTo: string,
  ) {
    this.#options = options
    this.#returnTo = returnTo
  }

  /** @throws LoginNeededError (`NOT_SIGNED_IN`), and what the application throws */
  async signedIn(context: Context, clock: Pick<Clock, 'now'>): Promise<SignedIn> {
    return assertSignedIn(await this.#options.authenticate(context), clock.now())
  }

  isRecent(who: SignedIn, clock: Pick<Clock, 'now'>): boolean {
    try {
      this.assertRecent(who, clock)
      return true
    } catch (error) {
      if (error instanceof LoginNeededError) return false
      throw error
    }
  }

  /** @throws LoginNeededError (`LOGIN_NOT_RECENT`) */
  assertRecent(who: SignedIn, clock: Pick<Clock, 'now'>): void {
    assertRecent(who, clock.now(), this.#options.recentLoginMs ?? RECENT_LOGIN_MS)
  }

  /** @throws WebError (`CROSS_ORIGIN`): another site's page asks, in the name of whoever is signed in here */
  assertOwnPage(request: Request): void {
    if (!isSameOrigin(request, this.#options.origin))
      throw new WebError(403, 'CROSS_ORIGIN', 'this is answered to pages of its own origin only')
  }

  /** Where to log in. It leads to a page: what an application makes of it must not run a script. */
  async loginUrl(context: Context, reason: LoginReason): Promise<string> {
    const { login } = this.#options
    const url = typeof login === 'string' ? login : await login(context, { reason, returnTo: this.#returnTo })
    // Browsers take `/\` for `//`, and leave tabs and line breaks out.
    if (typeof url !== 'string' || !/^(https?:\/\/|\/(?![/\\\t\r\n]))/.test(url))
      throw new TypeError('login() has answered with something that is neither a path nor a web address')
    return url
  }
}
