import { type CompactVerifyGetKey, type CompactVerifyResult, compactVerify, type KeyInput } from 'jose'
import { isObject } from './claim-rules.ts'
import { joseErrorCode } from './jose-code.ts'
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
 * is verified with the client secret only, every other algorithm with the issuer's keys only.
 *
 * @throws {LogoutTokenError}
 */
export async function verifySignature(token: string, rules: SignatureRules): Promise<VerifiedToken> {
  const { payload, protectedHeader } = await verifyWithKeys(token, rules)
  return { header: protectedHeader, claims: parseClaims(payload) }
}

async function verifyWithKeys(token: string, rules: SignatureRules): Promise<CompactVerifyResult> {
  const options = { algorithms: [...rules.algorithms] }
  const getKey: CompactVerifyGetKey = (header, jws) => {
    if (header.alg.startsWith('HS') && rules.secret !== undefined) return rules.secret
    if (!header.alg.startsWith('HS') && rules.getKey !== undefined) return rules.getKey(header, jws)
    throw new LogoutTokenError('algorithm_not_allowed')
  }
  try {
    return await compactVerify(token, getKey, options)
  } catch (error) {
    if (joseErrorCode(error) !== 'ERR_JWKS_MULTIPLE_MATCHING_KEYS') throw toTokenError(error)
    return await verifyWithCandidates(token, error, options)
  }
}

/** No more keys than this are tried. Each costs a verification, and any sender can leave out `kid`. */
const CANDIDATES_LIMIT = 100

/** The token has no `kid` and several keys fit: jose passes the candidates as an async iterable. */
async function verifyWithCandidates(
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
      const failure = toTokenError(error)
      if (failure.code !== 'signature_invalid') unusableKey = failure
    }
  }
  throw unusableKey ?? new LogoutTokenError('signature_invalid')
}

function toTokenError(error: unknown): LogoutTokenError {
  if (error instanceof LogoutTokenError) return error
  switch (joseErrorCode(error)) {
    case 'ERR_JOSE_ALG_NOT_ALLOWED':
      return new LogoutTokenError('algorithm_not_allowed', { cause: error })
    case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
      return new LogoutTokenError('signature_invalid', { cause: error })
    case 'ERR_JWS_INVALID':
    case 'ERR_JOSE_NOT_SUPPORTED':
      return new LogoutTokenError('token_malformed', { cause: error })
    default:
      // The key does not fit its algorithm, is too short or private. This says nothing about the token.
      return new LogoutTokenError('key_unavailable', { cause: error })
  }
}

function parseClaims(payload: Uint8Array): Record<string, unknown> {
  let claims: unknown
  try {
    claims = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch (cause) {
    throw new LogoutTokenError('token_malformed', { detail: 'the payload is not JSON', cause })
  }
  if (!isObject(claims)) throw new LogoutTokenError('token_malformed', { detail: 'the payload is not a JSON object' })
  return claims
}
