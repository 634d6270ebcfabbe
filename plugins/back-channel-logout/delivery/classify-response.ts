import type { Answer } from '../network/answer.ts'
import type { ConfirmingAnswer } from './delivery-policy.ts'

/** What an answer means for the delivery. */
export type ResponseVerdict =
  | { readonly verdict: 'confirmed'; readonly status: number }
  /** The RP wants no more of it. */
  | { readonly verdict: 'gone'; readonly status: number; readonly body: string }
  /**
   * 400 means "invalid, or the logout failed" (Back-Channel Logout 1.0 section 2.8), and some RPs answer it for any
   * trouble, stale keys among them.
   */
  | { readonly verdict: 'bad_request'; readonly status: number; readonly body: string }
  | {
      readonly verdict: 'again'
      readonly status?: number
      readonly error?: string
      readonly body?: string
      readonly retryAfterMs?: number
    }

/** What of the policy answers are judged by. */
export interface JudgingPolicy {
  readonly confirmedBy: readonly ConfirmingAnswer[]
  readonly maxRetryAfterMs: number
}

/**
 * Judges an RP's answer (Back-Channel Logout 1.0 section 2.8). Those that the policy names are success: 200, 204, and 202
 * by default. Everything that is neither success nor refusal is tried again, a redirect and 404 among it.
 *
 * @param now - milliseconds since 1970, for a `Retry-After` that names a date
 */
export function classifyResponse(
  answer: Answer,
  { confirmedBy, maxRetryAfterMs }: JudgingPolicy,
  now: number,
): ResponseVerdict {
  if (answer.kind === 'failed') return { verdict: 'again', error: answer.error }
  const { status, body } = answer
  if (confirmedBy.some((confirming) => matches(confirming, status, body))) return { verdict: 'confirmed', status }
  if (status === 410) return { verdict: 'gone', status, body }
  if (status === 400) return { verdict: 'bad_request', status, body }
  const retryAfterMs = parseRetryAfter(answer.retryAfter, maxRetryAfterMs, now)
  return { verdict: 'again', status, body, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

/**
 * Whether the answer shows that the RP is there, whatever becomes of the delivery. A 5xx says that it cannot. So does 429
 * (RFC 6585 section 4), unless it names the time to come back at: then the RP is well, and is left alone until then.
 */
export function showsLife(answer: Answer, judgement: ResponseVerdict): boolean {
  if (answer.kind === 'failed') return false
  if (judgement.verdict === 'confirmed') return true
  if (answer.status === 429) return judgement.verdict === 'again' && judgement.retryAfterMs !== undefined
  return answer.status < 500
}

/** `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date. In milliseconds from now, at most `mostMs`. */
export function parseRetryAfter(value: string | undefined, mostMs: number, now: number): number | undefined {
  if (value === undefined) return undefined
  const waitMs = /^\s*\d+\s*$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now
  if (!Number.isFinite(waitMs) || waitMs <= 0 || mostMs === 0) return undefined
  return Math.min(waitMs, mostMs)
}

function matches(confirming: ConfirmingAnswer, status: number, body: string): boolean {
  if (typeof confirming === 'number') return confirming === status
  return confirming.status === status && body.includes(confirming.body)
}
