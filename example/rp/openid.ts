import type { Context } from 'koa'
import * as client from 'openid-client'
import { PageError } from '../pages/failures.ts'
import type { Place, RpId } from '../settings.ts'
import type { Login, RpSession } from './sessions.ts'

/** This RP as a client of the OP: OpenID Connect with openid-client. */
export class OpenId {
  readonly #issuer: URL
  readonly #rp: Place<RpId>
  readonly #clientSecret: string
  #discovered: Promise<client.Configuration> | undefined

  constructor(issuer: string, rp: Place<RpId>, clientSecret: string) {
    this.#issuer = new URL(issuer)
    this.#rp = rp
    this.#clientSecret = clientSecret
  }

  /** Where to send the browser for a login, and what to remember until it comes back. */
  async begin(): Promise<{ readonly url: URL; readonly pending: NonNullable<RpSession['pending']> }> {
    const pending = {
      state: client.randomState(),
      nonce: client.randomNonce(),
      codeVerifier: client.randomPKCECodeVerifier(),
    }
    const url = client.buildAuthorizationUrl(await this.#configuration(), {
      redirect_uri: this.#redirectUri,
      scope: 'openid profile',
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(pending.codeVerifier),
      code_challenge_method: 'S256',
    })
    return { url, pending }
  }

  /** The login that the browser brought back. */
  async finish({ search }: Context, pending: RpSession['pending']): Promise<Login> {
    if (pending === undefined) throw new PageError(400, 'No login was under way in this browser. Begin again.')
    const configuration = await this.#configuration()
    const { state, nonce, codeVerifier } = pending
    try {
      const tokens = await client.authorizationCodeGrant(configuration, new URL(this.#redirectUri + search), {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: codeVerifier,
        idTokenExpected: true,
      })
      const claims = tokens.claims()
      const { id_token: idToken } = tokens
      if (claims === undefined || idToken === undefined || typeof claims['sid'] !== 'string') {
        throw new Error('the ID token has no sid: is back-channel logout on at the OP?')
      }
      const { name = claims.sub } = await client.fetchUserInfo(configuration, tokens.access_token, claims.sub)
      return { sub: claims.sub, sid: claims['sid'], name, since: Date.now(), idToken }
    } catch (cause) {
      if (cause instanceof client.AuthorizationResponseError && cause.error === 'access_denied') {
        throw new PageError(403, 'The login was cancelled.', { cause })
      }
      throw new PageError(502, `The login failed: ${cause instanceof Error ? cause.message : cause}.`, { cause })
    }
  }

  /** Where to send the browser so that the OP logs the user out as well (RP-Initiated Logout 1.0 section 2). */
  async endSessionUrl(idToken: string): Promise<URL> {
    return client.buildEndSessionUrl(await this.#configuration(), {
      id_token_hint: idToken,
      post_logout_redirect_uri: `${this.#rp.origin}/`,
    })
  }

  get #redirectUri(): string {
    return `${this.#rp.origin}/callback`
  }

  /** Asked for at the first login and not at the start: neither has to wait for the other to be there. */
  async #configuration(): Promise<client.Configuration> {
    this.#discovered ??= client.discovery(this.#issuer, this.#rp.id, this.#clientSecret, undefined, {
      execute: [client.allowInsecureRequests], // the example's OP speaks plain HTTP on this machine
    })
    try {
      return await this.#discovered
    } catch (cause) {
      this.#discovered = undefined
      throw new PageError(502, `The OP at ${this.#issuer.origin} does not answer. Try again in a moment.`, { cause })
    }
  }
}
