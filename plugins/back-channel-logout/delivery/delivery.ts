import type { JsonObject } from '../../../lib/index.ts'
import type { Reason } from '../reasons.ts'
import type { ResponseVerdict } from './classify-response.ts'
import type { ClientPolicy } from './delivery-policy.ts'
import { keptAnswer } from './mask-tokens.ts'

/** One logout token owed to one RP for one session end, as it lies in the work table. */
export interface Delivery {
  readonly sessionUid: string
  readonly clientId: string
  readonly sid: string
  /** The account, sealed for this delivery alone (`sealedFor`). Absent: it was forgotten. */
  readonly sealedSubject?: string
  readonly includeSid: boolean
  /** Without a URI of the client nothing is owed: it had none at the login, and nobody has looked since. */
  readonly onlyWithUri?: true
  readonly reason: Reason
  /** When the session's end was recorded, milliseconds since 1970. */
  readonly endedAt: number
  /** Attempts made. */
  readonly attempts: number
  /** How many of those on schedule the RP answered with 400. */
  readonly badRequests: number
  /** How often it was replayed; absent: never. */
  readonly round?: number
  /** How many attempts were made before their time, since the RP seemed to be back. The schedule does not count them. */
  readonly early?: number
  /** When the schedule has its next attempt, milliseconds since 1970; absent before the first one. */
  readonly scheduledFor?: number
  /** How the last attempt failed. */
  readonly failure?: Failure
  /** The fence of the row when it was last given back: whoever claims it with the next one follows nobody who died. */
  readonly fence?: number
  /** The trace context (`traceparent`) of the commit that it was planned from. */
  readonly trace?: string
}

/** How an attempt failed. */
export interface Failure {
  readonly status?: number
  readonly error?: string
  /** What the RP said: its start, without what looks like a token. */
  readonly answer?: string
}

/**
 * What the subject in a row is sealed for: everything of the row that says who is told of what. Rows carry no other proof.
 * In a row that names another delivery, client or login than the planner did, the subject does not open.
 *
 * @param delivery - the id that each round of it has
 */
export function sealedFor(
  delivery: string,
  { sessionUid, clientId, sid, includeSid }: Pick<Delivery, 'sessionUid' | 'clientId' | 'sid' | 'includeSid'>,
): string {
  return `delivery:${JSON.stringify([delivery, sessionUid, clientId, sid, includeSid])}`
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
      readonly delivery: Delivery & { readonly failure: Failure }
      /** Milliseconds since 1970. */
      readonly dueAt: number
    }
  | { readonly kind: 'abandoned'; readonly delivery: Delivery & { readonly failure: Failure } }

/** An attempt is early when its time is further off than this, in milliseconds: readings of a clock differ a little. */
const EARLY_MS = 1_000

/** So many early attempts are made. */
export const MOST_EARLY = 10

/** Whether an attempt made now is made before its time. */
export function isEarly({ scheduledFor }: Delivery, now: number): boolean {
  return scheduledFor !== undefined && scheduledFor - now > EARLY_MS
}

/**
 * The state machine of a delivery. Pure: the judgement of an attempt in, the next state out. Every path ends in
 * `confirmed`, `rejected` or `abandoned`, after at most as many attempts on schedule as the policy has delays, and one.
 * An early attempt that fails leaves the schedule as it was.
 *
 * @param random - from 0 to 1, for the jitter
 */
export function step(
  delivery: Delivery,
  judgement: ResponseVerdict,
  policy: ClientPolicy,
  now: number,
  random: number,
): Step {
  const early = isEarly(delivery, now)
  const tried = {
    ...delivery,
    attempts: delivery.attempts + 1,
    ...(early && { early: (delivery.early ?? 0) + 1 }),
  }
  switch (judgement.verdict) {
    case 'confirmed':
      return { kind: 'confirmed', delivery: tried, status: judgement.status }
    case 'gone':
      return { kind: 'rejected', delivery: tried, status: judgement.status, answer: keptAnswer(judgement.body) }
    case 'bad_request': {
      const failure = { status: judgement.status, answer: keptAnswer(judgement.body) }
      const least = policy.badRequestDelaysMs[delivery.badRequests] ?? 0
      if (early) return again({ ...tried, failure }, least, policy, now, random)
      const refused = { ...tried, failure, badRequests: delivery.badRequests + 1 }
      if (delivery.badRequests >= policy.badRequestDelaysMs.length)
        return { kind: 'rejected', delivery: refused, status: judgement.status, answer: keptAnswer(judgement.body) }
      return again(refused, least, policy, now, random)
    }
    case 'again': {
      const { status, error, body, retryAfterMs = 0 } = judgement
      const failure = {
        ...(status !== undefined && { status }),
        ...(error !== undefined && { error: keptAnswer(error) }),
        ...(body !== undefined && body !== '' && { answer: keptAnswer(body) }),
      }
      return again({ ...tried, failure }, retryAfterMs, policy, now, random)
    }
  }
}

function again(
  delivery: Delivery & { readonly failure: Failure },
  leastMs: number,
  { retryDelaysMs, jitter }: ClientPolicy,
  now: number,
  random: number,
): Step {
  if (isEarly(delivery, now)) {
    const dueAt = Math.max(delivery.scheduledFor ?? now, now + leastMs)
    return { kind: 'again', delivery: { ...delivery, scheduledFor: dueAt }, dueAt }
  }
  const delay = retryDelaysMs[delivery.attempts - (delivery.early ?? 0) - 1]
  if (delay === undefined) return { kind: 'abandoned', delivery }
  const jittered = Math.round(delay * (1 + jitter * (2 * random - 1)))
  const dueAt = now + Math.max(jittered, leastMs)
  return { kind: 'again', delivery: { ...delivery, scheduledFor: dueAt }, dueAt }
}
