import type { Answer } from '../network/answer.ts'
/** What it means. */
export type Judgement =
  | { readonly verdict: 'confirmed'; readonly status: number }
  /** The RP wants no more of it. */
  | { readonly verdict: 'gone'; readonly status: number; readonly body: string }
  /**
   * 400 means "invalid, or the logout failed" (Back-Channel Logout 1.0 section 2.8), and some RPs answer it for any
   * trouble, stale keys among them.
   */
  | { readonly verdict: 'bad_request'; readonly status: number; readonly body: string }
  | { readonly verdict: 'again'; readonly status?: number; readonly error?: string; readonly retryAfterMs?: number }

/**
 * Judges an RP's answer (Back-Channel Logout 1.0 section 2.8). 200 and 204 are success, 202 is taken for it too.
 * Everything that is neither success nor refusal is tried again, a redirect and 404 among it.
 *
 * @param retryAfterMostMs - so much of a `Retry-After` is honoured
 * @param now - milliseconds since 1970, for a `Retry-After` that names a date
 */
export function judge(answer: Answer, retryAfterMostMs: number, now: number): Judgement {
  if (answer.kind === 'failed') return { verdict: 'again', error: answer.error }
  const { status, body } = answer
  if (status === 200 || status === 202 || status === 204) return { verdict: 'confirmed', status }
  if (status === 410) return { verdict: 'gone', status, body }
  if (status === 400) return { verdict: 'bad_request', status, body }
  const retryAfterMs = parseRetryAfter(answer.retryAfter, retryAfterMostMs, now)
  return { verdict: 'again', status, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

/** `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date. In milliseconds from now, at most `mostMs`. */
export function parseRetryAfter(value: string | undefined, mostMs: number, now: number): number | undefined {
  if (value === undefined) return undefined
  const waitMs = /^\s*\d+\s*$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now
  if (!Number.isFinite(waitMs) || waitMs <= 0 || mostMs === 0) return undefined
  return Math.min(waitMs, mostMs)
}
