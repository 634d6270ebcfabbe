import { isDeepStrictEqual } from 'node:util'
import { acceptableUntil, validateClaims } from './claim-rules.ts'
import type { LogoutToken } from './logout-token.ts'
import { LogoutTokenError, quoted } from './logout-token-error.ts'
import type { ReplayReservation } from './replay-store.ts'
import { withTimeout } from './time-limit.ts'
import { decryptToken } from './token-encryption.ts'
import { verifySignature } from './token-signature.ts'
import { type LogoutTokenOptions, type VerifierRules, verifierRules } from './verifier-options.ts'

/**
 * Validates a logout token: all of OpenID Connect Back-Channel Logout 1.0 section 2.6 except steps 9 to 11, which compare
 * it with the RP's sessions and are up to the caller.
 *
 * With a `replayStore` the token counts as used as soon as it is valid. `logoutRequestHandler` marks it as used only after
 * the logout has succeeded, so that the same token is accepted again after one that failed.
 *
 * @throws {LogoutTokenError} with a stable `code`; `retryable` is true when the token could not be validated now
 * @throws {ReceiverOptionError} `OPTION_INVALID`, before any I/O
 */
export async function verifyLogoutToken(token: string, options: LogoutTokenOptions): Promise<LogoutToken> {
  const rules = verifierRules(options)
  return withinDeadline(rules, async () => {
    const verified = await validateToken(token, rules)
    const reservation = await reserveToken(verified, rules)
    await callReplayStore(() => reservation.commit())
    return verified
  })
}

/** Limits the time of all steps together. @throws {LogoutTokenError} `timed_out` */
export function withinDeadline<T>({ timeoutMs }: Pick<VerifierRules, 'timeoutMs'>, work: () => Promise<T>): Promise<T> {
  return withTimeout(work, timeoutMs, () => new LogoutTokenError('timed_out', { detail: `not within ${timeoutMs} ms` }))
}

/** Every check except the one for replays. @throws {LogoutTokenError} */
export async function validateToken(token: unknown, rules: VerifierRules): Promise<LogoutToken> {
  if (token === undefined || token === null || token === '') throw new LogoutTokenError('token_missing')
  if (typeof token !== 'string') throw new LogoutTokenError('token_malformed', { detail: `a ${typeof token}` })
  const { signed, outerHeader } = await signedToken(token, rules)
  requireCanonicalEncoding(signed, 3)
  const { header, claims } = await verifySignature(signed, rules.signature)
  const validated = validateClaims(header, claims, rules.claims, rules.nowSeconds())
  requireEqualReplicatedClaims(outerHeader, claims)
  return validated
}

/**
 * Section 2.6 step 8.
 *
 * @throws {LogoutTokenError} `replayed`, `in_progress`, `replay_store_unavailable`
 */
export async function reserveToken(
  token: LogoutToken,
  { replayStore, claims, nowSeconds }: VerifierRules,
): Promise<Extract<ReplayReservation, { outcome: 'reserved' }>> {
  if (replayStore === undefined) return { outcome: 'reserved', commit: async () => {}, release: async () => {} }
  const { issuer, jti } = token
  const entry = { issuer, jti, now: nowSeconds(), expiresAt: acceptableUntil(token, claims) }
  const reservation = await callReplayStore(() => replayStore.reserve(entry))
  switch (reservation?.outcome) {
    case 'reserved':
      return reservation
    case 'in_progress':
      throw new LogoutTokenError('in_progress', { detail: `jti ${quoted(jti)}` })
    case 'used':
      throw new LogoutTokenError('replayed', { detail: `jti ${quoted(jti)}` })
    default:
      throw new LogoutTokenError('replay_store_unavailable', { detail: 'reserve returned an unknown outcome' })
  }
}

/** @throws {LogoutTokenError} `replay_store_unavailable` when the call to the store fails */
export async function callReplayStore<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    throw new LogoutTokenError('replay_store_unavailable', { cause })
  }
}

/** Section 2.6 step 1: an RP that registered for encryption "SHOULD reject" tokens that are not encrypted. */
async function signedToken(
  token: string,
  { decryption }: VerifierRules,
): Promise<{ signed: string; outerHeader: Readonly<Record<string, unknown>> }> {
  const encrypted = token.split('.', 6).length === 5
  if (decryption === undefined) {
    if (encrypted) throw new LogoutTokenError('decryption_failed', { detail: 'the decryptionKey option is not set' })
    return { signed: token, outerHeader: {} }
  }
  if (!encrypted) throw new LogoutTokenError('encryption_required')
  requireCanonicalEncoding(token, 5)
  const { signed, header } = await decryptToken(token, decryption)
  return { signed, outerHeader: header }
}

/**
 * RFC 7515 section 2 and RFC 4648 section 3.5: the unused bits of a base64url text are zero. Decoders accept others, so
 * that one token would have several spellings. This also refuses the unencoded payloads that RFC 7797 section 7 forbids.
 */
function requireCanonicalEncoding(token: string, parts: number): void {
  const segments = token.split('.', parts + 1)
  const canonical = segments.every((text) => Buffer.from(text, 'base64url').toString('base64url') === text)
  if (segments.length !== parts || !canonical) throw new LogoutTokenError('token_malformed')
}

/** RFC 7519 section 5.3: claims that are replicated in the header of an encrypted token have equal values in both. */
function requireEqualReplicatedClaims(
  outerHeader: Readonly<Record<string, unknown>>,
  claims: Readonly<Record<string, unknown>>,
): void {
  for (const name of ['iss', 'sub', 'aud']) {
    if (Object.hasOwn(outerHeader, name) && !isDeepStrictEqual(outerHeader[name], claims[name])) {
      throw new LogoutTokenError('token_malformed', {
        detail: `${name} in the header of the JWE differs from the claim`,
      })
    }
  }
}
