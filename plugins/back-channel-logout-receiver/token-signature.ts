import { type CompactVerifyGetKey, type CompactVerifyResult, compactVerify, type KeyInput } from 'jose'
import { isObject } from './claim-rules.ts'
import { joseCode } from './jose-code.ts'
import { LogoutTokenError } from './logout-token-error.ts'

export interface SignatureRules {
  /** Never `none`; an `HS…` only together with `secret`, any other only together with `getKey`. */
  readonly algorithms: readonly string[]
  readonly getKey?: CompactVerifyGetKey
  readonly secret?: Uint8Array
}

export interface VerifiedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * Steps 2 and 3 of Back-Channel Logout 1.0 section 2.6: the algorithm first, then the signature, "in the same way that
 * an ID Token signature is validated" (Core 1.0 section 3.1.3.7 steps 6 to 8). Secret and public keys never mix: `HS…`
 * is checked with the client secret alone, everything else with the issuer's keys alone.
 *
 * @throws {LogoutTokenError}
 */
export async function verifySignature(token: string, rules: SignatureRules): Promise<VerifiedToken> {
  const { payload, protectedHeader } = await verified(token, rules)
  return { header: protectedHeader, claims: parseClaims(payload) }
}

async function verified(token: string, rules: SignatureRules): Promise<CompactVerifyResult> {
  const options = { algorithms: [...rules.algorithms] }
  const getKey: CompactVerifyGetKey = (header, jws) => {
    if (header.alg.startsWith('HS') && rules.secret !== undefined) return rules.secret
    if (!header.alg.startsWith('HS') && rules.getKey !== undefined) return rules.getKey(header, jws)
    throw new LogoutTokenError('algorithm_not_allowed')
  }
  try {
    return await compactVerify(token, getKey, options)
  } catch (error) {
    if (joseCode(error) !== 'ERR_JWKS_MULTIPLE_MATCHING_KEYS') throw asTokenError(error)
    return await verifiedByOneOf(token, error, options)
  }
}

/** More keys than this are not tried: each costs a verification, and whoever sends a token without `kid` chooses that. */
const CANDIDATES_LIMIT = 100

/** The token has no `kid` and several keys fit: jose hands the candidates over as an async iterable. */
async function verifiedByOneOf(
  token: string,
  keys: unknown,
  options: { algorithms: string[] },
): Promise<CompactVerifyResult> {
  let tried = 0
  let unusableKey: LogoutTokenError | undefined
  for await (const key of keys as AsyncIterable<KeyInput>) {
    tried += 1
    if (tried > CANDIDATES_LIMIT) {
      const detail = `more than ${CANDIDATES_LIMIT} keys fit: the OP has to name one by kid`
      throw new LogoutTokenError('key_not_found', { detail })
    }
    try {
      return await compactVerify(token, key, options)
    } catch (error) {
      const failure = asTokenError(error)
      if (failure.code !== 'signature_invalid') unusableKey = failure
    }
  }
  throw unusableKey ?? new LogoutTokenError('signature_invalid')
}

function asTokenError(error: unknown): LogoutTokenError {
  if (error instanceof LogoutTokenError) return error
  switch (joseCode(error)) {
    case 'ERR_JOSE_ALG_NOT_ALLOWED':
      return new LogoutTokenError('algorithm_not_allowed', { cause: error })
    case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
      return new LogoutTokenError('signature_invalid', { cause: error })
    case 'ERR_JWS_INVALID':
    case 'ERR_JOSE_NOT_SUPPORTED':
      return new LogoutTokenError('token_malformed', { cause: error })
    default:
      // A key that does not fit its algorithm, is too short or private: nothing is known about the token.
      return new LogoutTokenError('key_unavailable', { cause: error })
  }
}

function parseClaims(payload: Uint8Array): Record<string, unknown> {
  let claims: unknown
  try {
    claims = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch (cause) {
    throw new LogoutTokenError('token_malformed', { detail: 'payload is no JSON', cause })
  }
  if (!isObject(claims)) throw new LogoutTokenError('token_malformed', { detail: 'payload is no JSON object' })
  return claims
}
