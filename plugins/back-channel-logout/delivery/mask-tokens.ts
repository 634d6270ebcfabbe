/** What looks like a JWT (RFC 7519), signed or encrypted, whole or cut: a header's `{"` in base64url, and what follows. */
const JWT = /\beyJ[\w-]{8,}(?:\.[\w-]*)*/g

/** A credential as RFC 6750 section 2.1 writes it. */
const BEARER = /\b(Bearer)\s+[\w.~+/-]{8,}=*/gi

/** So much of an RP's answer is kept. */
const ANSWER_CHARS = 1_000

/**
 * What is kept of an RP's answer: its start, well-formed, with every token masked. Error pages of frameworks print the
 * request, and the log is read by more people than may see a token.
 */
export function keptAnswer(answer: string): string {
  const masked = answer.replace(JWT, '[token]').replace(BEARER, '$1 [token]')
  return masked.slice(0, ANSWER_CHARS).toWellFormed() // it may be cut in the middle of a character
}
