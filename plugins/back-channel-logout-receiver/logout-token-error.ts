import { pageOf } from './error-page.ts'

/** The token is invalid: sending it again cannot help. Answered with 400. */
export type RejectedTokenCode =
  | 'token_missing'
  | 'token_malformed'
  | 'encryption_required'
  | 'decryption_failed'
  | 'algorithm_not_allowed'
  | 'key_not_found'
  | 'signature_invalid'
  | 'type_invalid'
  | 'issuer_mismatch'
  | 'audience_mismatch'
  | 'issued_at_invalid'
  | 'not_yet_valid'
  | 'expiry_invalid'
  | 'expired'
  | 'subject_missing'
  | 'subject_invalid'
  | 'events_invalid'
  | 'nonce_present'
  | 'jti_missing'
  | 'replayed'

/** The token cannot be validated, or its logout cannot be done, now. Answered with 503, so that the OP tries again. */
export type RetryableTokenCode =
  | 'key_unavailable'
  | 'replay_store_unavailable'
  | 'in_progress'
  | 'body_unreadable'
  | 'timed_out'

/** Every code of a {@link LogoutTokenError}. The list only grows, and only in minor versions. */
export type LogoutTokenErrorCode = RejectedTokenCode | RetryableTokenCode

const rejected: Readonly<Record<RejectedTokenCode, string>> = {
  token_missing:
    'The body has no logout_token parameter: send it form-encoded. If a body parser runs first, pass its result on.',
  token_malformed:
    'The logout token is not a single compact JWT: send one logout_token parameter holding one JWS or JWE.',
  encryption_required: 'The logout token is not encrypted: encrypt it as this client registered for its ID tokens.',
  decryption_failed:
    'The logout token cannot be decrypted: compare the encryption key and algorithms registered for this client.',
  algorithm_not_allowed:
    'The signing algorithm is not the one of this client: compare id_token_signed_response_alg at both ends.',
  key_not_found:
    'No key of the issuer fits the kid and alg of the logout token: publish the signing key in jwks_uri first.',
  signature_invalid:
    'The signature does not match the key of the issuer: sign with the published key or the current client secret.',
  type_invalid:
    'The typ header names another kind of token: leave it out or set it to logout+jwt, which this client may require.',
  issuer_mismatch:
    'The iss claim is not the expected issuer: compare it with the issuer of the ID tokens, trailing slash included.',
  audience_mismatch: 'The aud claim does not name this client: send the token to the client that it was issued for.',
  issued_at_invalid:
    'The iat claim is missing, not a number, in the future or too old: check both clocks and send a fresh token.',
  not_yet_valid: 'The nbf claim is in the future or not a number: check both clocks.',
  expiry_invalid: 'The exp claim is missing or not a number: a logout token must have it.',
  expired: 'The logout token has expired: check both clocks and send a fresh token.',
  subject_missing: 'The logout token has neither sub nor sid: it must name a user, a session, or both.',
  subject_invalid: 'The sub or sid claim is not a non-empty string.',
  events_invalid:
    'The events claim is not an object with an object at http://schemas.openid.net/event/backchannel-logout.',
  nonce_present: 'The logout token has a nonce claim, which is forbidden: this may be an ID token.',
  jti_missing: 'The jti claim is missing or not a non-empty string.',
  replayed: 'A logout token with this jti was accepted before: send a fresh token.',
}

const retryableCodes: Readonly<Record<RetryableTokenCode, string>> = {
  key_unavailable: 'The keys of the issuer cannot be read or used now: try again later.',
  replay_store_unavailable: 'The store of used logout tokens is unavailable: try again later.',
  in_progress: 'The same logout token is being processed: try again shortly.',
  body_unreadable: 'The request body could not be read to its end: send the request again.',
  timed_out: 'The logout was not completed in time: try again later.',
}

const advice: Readonly<Record<LogoutTokenErrorCode, string>> = { ...rejected, ...retryableCodes }

/** Every code that a {@link LogoutTokenError} can have, for tables, metrics and exhaustive tests. */
export const logoutTokenErrorCodes: readonly LogoutTokenErrorCode[] = Object.freeze(
  Object.keys(advice) as LogoutTokenErrorCode[],
)

/**
 * Why a logout token was not accepted.
 *
 * `code` is stable, `message` may hold values of the token (quoted, cut to 120 characters) and is meant for the RP's
 * own log. `description` is the same without them, in the characters that RFC 6749 section 5.2 allows, and may be sent to
 * the OP. `cause` is the underlying error, for example that of jose.
 */
export class LogoutTokenError extends Error {
  override readonly name: string = 'LogoutTokenError'
  readonly code: LogoutTokenErrorCode
  readonly description: string
  /** The page of the code: how it comes, and what to do. A file of the installed package. */
  readonly documentation: string

  constructor(code: LogoutTokenErrorCode, options: { detail?: string; cause?: unknown } = {}) {
    const { detail, cause } = options
    super(
      detail === undefined ? advice[code] : `${advice[code]} (${detail})`,
      cause === undefined ? undefined : { cause },
    )
    this.code = code
    this.description = advice[code]
    this.documentation = pageOf(code)
  }

  /** True when the token was not validated: the sender should send the same request again (503, never 400). */
  get retryable(): boolean {
    return Object.hasOwn(retryableCodes, this.code)
  }
}

/** An untrusted value, made safe for a log line: JSON, one line, at most 120 characters. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 120 ? `${text.slice(0, 117)}...` : text
}
