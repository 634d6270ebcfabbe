import { randomBytes } from 'node:crypto'
import type { IdToken, OidcClient, OidcProvider } from '../provider-internals.ts'

/** The member of `events` that makes a token a logout token (Back-Channel Logout 1.0 section 2.4). */
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/** What has ended. */
export interface Ended {
  /** The account; pairwise subjects are made of it. */
  readonly subject: string
  /** The RP's session id, exactly when the ID tokens of that login carried one. */
  readonly sid: string | undefined
  /** Whether the token names the session alone, where it has a sid: no `sub`. */
  readonly sidOnly?: boolean
  /** When, milliseconds since 1970. */
  readonly endedAt: number
  /** How long the token is good for, in seconds. */
  readonly lifetimeSeconds: number
}

/**
 * Makes a logout token (Back-Channel Logout 1.0 section 2.4) for the client as it is now: signed with the algorithm of
 * its ID tokens, encrypted when they are, pairwise subject included. `iat`, `exp` and `jti` are fresh, so that a retry
 * hours later is valid and an RP that remembers used tokens takes it.
 *
 * `toe` says when the session ended (RFC 8417 section 2.2), however late the token is: an RP that is told without a sid
 * can tell logins apart by it that the user has made since.
 *
 * @throws what oidc-provider throws when the client's keys cannot be fetched or its secret has expired
 */
export async function makeLogoutToken(
  provider: OidcProvider,
  client: OidcClient,
  { subject, sid, sidOnly = false, endedAt, lifetimeSeconds }: Ended,
): Promise<string> {
  const token = new provider.IdToken({ sub: subject }, { client, ctx: undefined })
  token.mask = sidOnly && sid !== undefined ? {} : { sub: null }
  token.set('events', { [EVENT]: {} })
  token.set('jti', randomBytes(16).toString('base64url'))
  token.set('toe', Math.floor(endedAt / 1_000))
  if (sid !== undefined) token.set('sid', sid)
  expireAfter(token, lifetimeSeconds)
  return token.issue({ use: 'logout' })
}

/**
 * oidc-provider writes `exp` as 120 s after `iat`, into the object that `payload()` returns. That object gets an `exp`
 * that follows its `iat` instead, and ignores what is written.
 */
function expireAfter(token: IdToken, seconds: number): void {
  const payload = token.payload.bind(token)
  token.payload = async () => {
    const claims: { iat?: number } = { ...(await payload()) }
    return Object.defineProperty(claims, 'exp', {
      enumerable: true,
      get: () => Number(claims.iat) + seconds,
      set: () => {},
    })
  }
}
