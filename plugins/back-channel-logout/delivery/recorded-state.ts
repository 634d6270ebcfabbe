import type { Commit, EventStore, JsonObject, Work } from '../../../lib/index.ts'
import { positionOfEnd } from '../recording/delivery-id.ts'
import { PAGE_SIZE, pagesOf } from '../recording/pages.ts'
import {
  type AttemptFailed,
  roundOf,
  type SessionLogoutEvent,
  sessionLogoutStream,
} from '../recording/session-logout-events.ts'
import type { Delivery } from './delivery.ts'
import { deliveryOf } from './rounds.ts'

/** What the log knows of a delivery that the work does not know. */
export type RecordedState =
  | { readonly kind: 'nothing' }
  /** How it ended: the RP would be told of what it has confirmed. */
  | { readonly kind: 'settled' }
  /** An attempt that failed: it would be counted as none, and the RP be asked before its time. */
  | { readonly kind: 'failed'; readonly delivery: Delivery; readonly dueAt: number }

const FAILED = 'session_logout.back_channel.attempt_failed'
const OWED = 'session_logout.back_channel.owed'

/** The facts that end a round of a delivery. Every other one about it leaves it owed. */
const SETTLING: ReadonlySet<string> = new Set<SessionLogoutEvent['type']>([
  'session_logout.back_channel.sent',
  'session_logout.back_channel.rejected',
  'session_logout.back_channel.abandoned',
  'session_logout.back_channel.superseded',
])

/**
 * What a process has recorded that died before it could tell the work table. Reads only when somebody had the work in
 * hand since it was last given back: then the session's stream from its end back, to the last fact about the delivery, or
 * to the end of the session that it is owed for.
 */
export async function recordedState(
  store: EventStore,
  { id, fence }: Work,
  delivery: Delivery,
): Promise<RecordedState> {
  if (fence === (delivery.fence ?? 0) + 1) return { kind: 'nothing' }
  const name = deliveryOf(id)
  const fact = await lastFact(store, delivery.sessionUid, name)
  if (fact === undefined) return { kind: 'nothing' }
  const { round = 0 } = fact.data as { readonly round?: number }
  // Where a later round has begun, this one had ended before.
  if (round !== roundOf(delivery)) return { kind: round > roundOf(delivery) ? 'settled' : 'nothing' }
  if (SETTLING.has(fact.type)) return { kind: 'settled' }
  if (fact.type !== FAILED) return { kind: 'nothing' }
  const failed = fact.data as unknown as AttemptFailed
  if (failed.attempt <= delivery.attempts) return { kind: 'nothing' }
  return { kind: 'failed', delivery: caughtUp(delivery, failed), dueAt: failed.next_attempt_at }
}

function caughtUp(delivery: Delivery, failed: AttemptFailed): Delivery {
  const { attempt, status, error, answer, bad_requests = 0, early = 0, next_attempt_at } = failed
  return {
    ...delivery,
    attempts: attempt,
    badRequests: bad_requests,
    ...(early > 0 && { early }),
    scheduledFor: next_attempt_at,
    failure: {
      ...(status !== undefined && { status }),
      ...(error !== undefined && { error }),
      ...(answer !== undefined && { answer }),
    },
  }
}

interface Fact {
  readonly type: string
  readonly data: JsonObject
}

async function lastFact(store: EventStore, uid: string, delivery: string): Promise<Fact | undefined> {
  const stream = sessionLogoutStream(uid)
  const from = positionOfEnd(delivery) + 1
  for await (const page of pagesOf(store, [stream], { from, order: 'newest', size: PAGE_SIZE })) {
    for (const commit of page) {
      const fact = factIn(commit, stream, delivery)
      if (fact) return fact
    }
  }
  return undefined
}

/** That it is owed says nothing of what became of it, and may be recorded late, by another process that plans. */
function factIn({ events }: Commit, stream: string, delivery: string): Fact | undefined {
  return events.findLast(
    ({ stream: own, type, data }) => own === stream && type !== OWED && data['delivery'] === delivery,
  )
}
