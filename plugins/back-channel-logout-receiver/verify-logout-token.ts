import { isDeepStrictEqual } from 'node:util'
import { acceptableUntil, judgeClaims } from './claim-rules.ts'
import type { LogoutToken } from './logout-token.ts'
import { LogoutTokenError, quoted } from './logout-token-error.ts'
import type { ReplayReservation } from './replay-store.ts'
import { withTimeout } from './time-limit.ts'
import { decryptToken } from './token-encryption.ts'
import { verifySignature } from './token-signature.ts'
import { type LogoutTokenOptions, type VerifierRules, verifierRules } from './verifier-options.ts'

/**
 * Judges a logout token: all of OpenID Connect Back-Channel Logout 1.0 section 2.6 but steps 9 to 11, which compare it
 * with the RP's sessions and are the caller's.
 *
 * With a `replayStore` the token is used up as soon as it is found good. A caller whose logout may still fail, and who
 * then wants the same token again, uses `logoutRequestHandler`, which uses it up only after the logout.
 *
 * @throws {LogoutTokenError} with a stable `code`; `retryable` tells a bad token from one that cannot be judged now
 * @throws {ReceiverOptionError} `OPTION_INVALID`, before any input or output
 */
export async function verifyLogoutToken(token: string, options: LogoutTokenOptions): Promise<LogoutToken> {
  const rules = verifierRules(options)
  return inTime(rules, async () => {
    const verified = await judgeToken(token, rules)
    const reservation = await reserveToken(verified, rules)
    await atReplayStore(() => reservation.commit())
    return verified
  })
}

/** Whatever is waited for: keys, the replay store, the RP. @throws {LogoutTokenError} `timed_out` */
export function inTime<T>({ timeoutMs }: Pick<VerifierRules, 'timeoutMs'>, work: () => Promise<T>): Promise<T> {
  return withTimeout(work, timeoutMs, () => new LogoutTokenError('timed_out', { detail: `not within ${timeoutMs} ms` }))
}

/** Everything but the replay check. @throws {LogoutTokenError} */
export async function judgeToken(token: unknown, rules: VerifierRules): Promise<LogoutToken> {
  if (token === undefined || token === null || token === '') throw new LogoutTokenError('token_missing')
  if (typeof token !== 'string') throw new LogoutTokenError('token_malformed', { detail: `a ${typeof token}` })
  const { signed, outerHeader } = await signedToken(token, rules)
  refuseUnlessCanonical(signed, 3)
  const { header, claims } = await verifySignature(signed, rules.signature)
  const judged = judgeClaims(header, claims, rules.claims, rules.nowSeconds())
  refuseIfReplicatedDifferently(outerHeader, claims)
  return judged
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
  const reservation = await atReplayStore(() => replayStore.reserve(entry))
  switch (reservation?.outcome) {
    case 'reserved':
      return reservation
    case 'in_progress':
      throw new LogoutTokenError('in_progress', { detail: `jti ${quoted(jti)}` })
    case 'used':
      throw new LogoutTokenError('replayed', { detail: `jti ${quoted(jti)}` })
    default:
      throw new LogoutTokenError('replay_store_unavailable', { detail: 'reserve answered with an unknown outcome' })
  }
}

/** @throws {LogoutTokenError} `replay_store_unavailable` when the call to the store fails */
export async function atReplayStore<T>(call: () => Promise<T>): Promise<T> {
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
  refuseUnlessCanonical(token, 5)
  const { signed, header } = await decryptToken(token, decryption)
  return { signed, outerHeader: header }
}

/**
 * RFC 7515 section 2 and RFC 4648 section 3.5: the unused bits of a base64url text are zero. Decoders let others pass,
 * and then one token has several spellings. It also keeps out the unencoded payloads that RFC 7797 section 7 forbids.
 */
function refuseUnlessCanonical(token: string, parts: number): void {
  const segments = token.split('.', parts + 1)
  const canonical = segments.every((text) => Buffer.from(text, 'base64url').toString('base64url') === text)
  if (segments.length !== parts || !canonical) throw new LogoutTokenError('token_malformed')
}

/** RFC 7519 section 5.3: claims that are repeated in the header of an encrypted token have the same values in both. */
function refuseIfReplicatedDifferently(
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
