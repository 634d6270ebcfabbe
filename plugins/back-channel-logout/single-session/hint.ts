import type { OidcClient, OidcProvider } from '../provider-internals.ts'
import { isStoreUnavailable } from '../work/store-unavailable.ts'
import { sameText } from './same-text.ts'

/** What an ID token says that names a session (OpenID Connect RP-Initiated Logout 1.0 section 2, `id_token_hint`). */
export interface Hint {
  readonly client: OidcClient
  readonly sid: string
  readonly sub: string
}

/**
 * The session that an `id_token_hint` names. An expired one is as good as another: RP-Initiated Logout 1.0 section 2 has
 * the OP accept it. Undefined: it is no ID token of this issuer for one of its clients, or it names no session.
 */
export async function readHint({ Client, IdToken }: OidcProvider, jwt: string): Promise<Hint | undefined> {
  const audience = claimsOf(jwt)?.['aud']
  if (typeof audience !== 'string') return undefined
  try {
    const client = await Client.find(audience)
    if (!client) return undefined
    const { payload } = await IdToken.validate(jwt, client)
    const { sid, sub } = payload
    return typeof sid === 'string' && typeof sub === 'string' ? { client, sid, sub } : undefined
  } catch (error) {
    if (isStoreUnavailable(error)) throw error
    return undefined // forged, or of keys that are gone, or of a client that cannot be loaded
  }
}

/** Whether the account has this subject at the client: pairwise subjects are computed again. */
export async function isSubject(provider: OidcProvider, { client, sub }: Hint, accountId: string): Promise<boolean> {
  const token = new provider.IdToken({ sub: accountId }, { client, ctx: undefined })
  token.mask = { sub: null }
  const claims = await token.payload()
  return typeof claims['sub'] === 'string' && sameText(claims['sub'], sub)
}

/** What a JWT says, unverified. Encrypted ones say nothing: as hints they are not supported. */
function claimsOf(jwt: string): Record<string, unknown> | undefined {
  const parts = jwt.split('.')
  if (parts.length !== 3) return undefined
  try {
    const claims: unknown = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8'))
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
