import type { JsonObject } from '../../../lib/index.ts'
import type { Reason } from '../reasons.ts'
import type { ClientPolicy } from './delivery-policy.ts'
import type { Judgement } from './judge.ts'

/** One logout token owed to one RP for one session end, as it lies in the work table. */
export interface Delivery {
  readonly sessionUid: string
  readonly clientId: string
  readonly sid: string
  /** The account, sealed under the session_logout stream. */
  readonly sealedSubject: string
  readonly withSid: boolean
  /** Without a URI of the client nothing is owed: it had none at the login, and nobody has looked since. */
  readonly onlyWithUri?: true
  readonly reason: Reason
  /** When the session's end was recorded, milliseconds since 1970. */
  readonly endedAt: number
  /** Attempts made. */
  readonly attempts: number
  /** How many of them the RP answered with 400. */
  readonly badRequests: number
  /** How often it was replayed; absent: never. */
  readonly round?: number
}

export function toBody(delivery: Delivery): JsonObject {
  return delivery as unknown as JsonObject
}

export function fromBody(body: JsonObject): Delivery {
  return body as unknown as Delivery
}

/** What follows from an attempt. */
export type Step =
  | { readonly kind: 'confirmed'; readonly delivery: Delivery; readonly status: number }
  | { readonly kind: 'rejected'; readonly delivery: Delivery; readonly status: number; readonly answer: string }
  | {
      readonly kind: 'again'
      readonly delivery: Delivery
      readonly status?: number
      readonly error?: string
      /** Milliseconds since 1970. */
      readonly dueAt: number
    }
  | { readonly kind: 'abandoned'; readonly delivery: Delivery; readonly status?: number; readonly error?: string }

/**
 * The state machine of a delivery. Pure: the judgement of an attempt in, the next state out. Every path ends in
 * `confirmed`, `rejected` or `abandoned`, after at most as many attempts as the policy has delays, and one.
 *
 * @param random - from 0 to 1, for the jitter
 */
export function step(
  delivery: Delivery,
  judgement: Judgement,
  policy: ClientPolicy,
  now: number,
  random: number,
): Step {
  const tried = { ...delivery, attempts: delivery.attempts + 1 }
  switch (judgement.verdict) {
    case 'confirmed':
      return { kind: 'confirmed', delivery: tried, status: judgement.status }
    case 'gone':
      return { kind: 'rejected', delivery: tried, status: judgement.status, answer: judgement.body }
    case 'bad_request': {
      const refused = { ...tried, badRequests: delivery.badRequests + 1 }
      const least = policy.badRequestDelaysMs[delivery.badRequests]
      if (least === undefined)
        return { kind: 'rejected', delivery: refused, status: judgement.status, answer: judgement.body }
      return again(refused, { status: judgement.status }, least, policy, now, random)
    }
    case 'again': {
      const { status, error, retryAfterMs = 0 } = judgement
      const failure = { ...(status !== undefined && { status }), ...(error !== undefined && { error }) }
      return again(tried, failure, retryAfterMs, policy, now, random)
    }
  }
}

function again(
  delivery: Delivery,
  failure: { readonly status?: number; readonly error?: string },
  leastMs: number,
  { retryDelaysMs, jitter }: ClientPolicy,
  now: number,
  random: number,
): Step {
  const delay = retryDelaysMs[delivery.attempts - 1]
  if (delay === undefined) return { kind: 'abandoned', delivery, ...failure }
  const jittered = Math.round(delay * (1 + jitter * (2 * random - 1)))
  return { kind: 'again', delivery, ...failure, dueAt: now + Math.max(jittered, leastMs) }
}
