import { randomBytes } from 'node:crypto'
import type { OidcClient, OidcProvider } from '../provider-internals.ts'

/** The member of `events` that makes a token a logout token (Back-Channel Logout 1.0 section 2.4). */
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/**
 * Makes a logout token (Back-Channel Logout 1.0 section 2.4) for the client as it is now: signed with the algorithm of
 * its ID tokens, encrypted when they are, pairwise subject included. `iat`, `exp` (120 s) and `jti` are fresh, so that a
 * retry hours later is valid and an RP that remembers used tokens takes it.
 *
 * @param sid - the RP's session id, exactly when the ID tokens of that login carried one
 * @throws what oidc-provider throws when the client's keys cannot be fetched or its secret has expired
 */
export async function makeLogoutToken(
  provider: OidcProvider,
  client: OidcClient,
  subject: string,
  sid: string | undefined,
): Promise<string> {
  const token = new provider.IdToken({ sub: subject }, { client, ctx: undefined })
  token.mask = { sub: null }
  token.set('events', { [EVENT]: {} })
  token.set('jti', randomBytes(16).toString('base64url'))
  if (sid !== undefined) token.set('sid', sid)
  return token.issue({ use: 'logout' })
}
