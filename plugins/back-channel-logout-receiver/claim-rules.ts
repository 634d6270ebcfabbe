import { LOGOUT_EVENT, type LogoutToken } from './logout-token.ts'
import { LogoutTokenError, quoted } from './logout-token-error.ts'

/** The rules for the claims of a logout token. Times are in seconds. */
export interface ClaimRules {
  readonly issuer: string
  readonly audience: readonly string[]
  readonly requireType: boolean
  readonly requireExpiry: boolean
  readonly clockToleranceSeconds: number
  readonly maxAgeSeconds: number
}

/**
 * Validates a verified payload: steps 4 to 7 of Back-Channel Logout 1.0 section 2.6, and the types of section 2.4. Pure.
 *
 * jose's `jwtVerify` is not used for it: its `requiredClaims` asks for presence only, an `exp` of any type passes as
 * long as it is a number, and its errors do not say which rule failed.
 *
 * @param now seconds since the epoch
 * @throws {LogoutTokenError} with the code of the first rule that fails
 */
export function validateClaims(
  header: Readonly<Record<string, unknown>>,
  claims: Readonly<Record<string, unknown>>,
  rules: ClaimRules,
  now: number,
): LogoutToken {
  validateType(header.typ, rules.requireType)
  const audience = validateIssuerAndAudience(claims, rules)
  const { issuedAt, expiresAt } = validateTimes(claims, rules, now)
  const subject = validateSubject(claims)
  validateEvents(claims)
  // Section 2.4: "nonce: PROHIBITED", whatever its value. It prevents that a logout token is accepted as an ID token.
  if (Object.hasOwn(claims, 'nonce')) throw new LogoutTokenError('nonce_present')
  const { jti } = claims
  if (!isText(jti)) throw new LogoutTokenError('jti_missing', { detail: `jti ${quoted(jti)}` })
  return { issuer: rules.issuer, audience, ...subject, jti, issuedAt, expiresAt, claims }
}

/** The second from which on {@link validateClaims} refuses this token. */
export function acceptableUntil(token: LogoutToken, rules: ClaimRules): number {
  return Math.min(token.expiresAt, token.issuedAt + rules.maxAgeSeconds) + rules.clockToleranceSeconds
}

/**
 * Section 2.4 only recommends `typ: logout+jwt`, and section 4.1 says that requiring it "would break most existing
 * deployments": absent and `JWT` (RFC 7519 section 5.1) are accepted unless the RP requires the type. A type that names
 * another kind of token (`at+jwt`) is refused in any case.
 */
function validateType(typ: unknown, required: boolean): void {
  const type = mediaType(typ)
  if (type === 'application/logout+jwt') return
  if (!required && (typ === undefined || type === 'application/jwt')) return
  throw new LogoutTokenError('type_invalid', { detail: `typ ${quoted(typ)}` })
}

/** RFC 7515 section 4.1.9: a value without a slash stands for one with `application/` before it. RFC 2045: any case. */
function mediaType(typ: unknown): string | undefined {
  if (typeof typ !== 'string') return undefined
  return (typ.includes('/') ? typ : `application/${typ}`).toLowerCase()
}

/** Section 2.6 step 4, as for ID tokens: Core 1.0 section 3.1.3.7 steps 2 and 3. Compared character by character. */
function validateIssuerAndAudience(claims: Readonly<Record<string, unknown>>, rules: ClaimRules): readonly string[] {
  if (claims.iss !== rules.issuer) {
    throw new LogoutTokenError('issuer_mismatch', {
      detail: `expected ${quoted(rules.issuer)}, got ${quoted(claims.iss)}`,
    })
  }
  const audience: unknown[] = Array.isArray(claims.aud) ? claims.aud : [claims.aud]
  if (!audience.every(isText) || !audience.some((value) => rules.audience.includes(value))) {
    throw new LogoutTokenError('audience_mismatch', {
      detail: `expected ${quoted(rules.audience)}, got ${quoted(claims.aud)}`,
    })
  }
  return audience
}

/**
 * Section 2.6 step 4, Core 1.0 section 3.1.3.7 steps 9 and 10. `exp` is required since errata 1 (section 2.4). Older OPs
 * do not set it; without it, `iat` alone limits how long the token is accepted.
 */
function validateTimes(
  claims: Readonly<Record<string, unknown>>,
  { clockToleranceSeconds, maxAgeSeconds, requireExpiry }: ClaimRules,
  now: number,
): { issuedAt: number; expiresAt: number } {
  const { iat, nbf } = claims
  if (!isTime(iat)) throw new LogoutTokenError('issued_at_invalid', { detail: `iat ${quoted(iat)}` })
  const exp = claims.exp === undefined && !requireExpiry ? iat + maxAgeSeconds : claims.exp
  if (exp === undefined) {
    throw new LogoutTokenError('expiry_invalid', {
      detail: 'no exp: for an OP that never sets it, requireExpiry: false',
    })
  }
  if (!isTime(exp)) throw new LogoutTokenError('expiry_invalid', { detail: `exp ${quoted(exp)}` })
  if (iat > now + clockToleranceSeconds) {
    throw new LogoutTokenError('issued_at_invalid', { detail: `issued ${iat - now} s in the future` })
  }
  if (exp <= now - clockToleranceSeconds) throw new LogoutTokenError('expired', { detail: `${now - exp} s ago` })
  if (iat <= now - clockToleranceSeconds - maxAgeSeconds) {
    throw new LogoutTokenError('issued_at_invalid', {
      detail: `issued ${now - iat} s ago, at most ${maxAgeSeconds} s allowed`,
    })
  }
  if (nbf !== undefined && !(isTime(nbf) && nbf <= now + clockToleranceSeconds)) {
    throw new LogoutTokenError('not_yet_valid', { detail: `nbf ${quoted(nbf)}` })
  }
  return { issuedAt: iat, expiresAt: exp }
}

/** Section 2.6 step 5. */
function validateSubject({ sub, sid }: Readonly<Record<string, unknown>>): { sub?: string; sid?: string } {
  if (sub === undefined && sid === undefined) throw new LogoutTokenError('subject_missing')
  for (const [name, value] of Object.entries({ sub, sid })) {
    if (value !== undefined && !isText(value)) {
      throw new LogoutTokenError('subject_invalid', { detail: `${name} ${quoted(value)}` })
    }
  }
  return { ...(isText(sub) && { sub }), ...(isText(sid) && { sid }) }
}

/** Section 2.6 step 6, and section 2.4: the member's value "MUST be a JSON object". */
function validateEvents({ events }: Readonly<Record<string, unknown>>): void {
  if (!isObject(events) || !isObject(events[LOGOUT_EVENT])) {
    throw new LogoutTokenError('events_invalid', { detail: `events ${quoted(events)}` })
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isTime(value: unknown): value is number {
  return Number.isFinite(value)
}

/** A JSON object: neither an array nor null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
