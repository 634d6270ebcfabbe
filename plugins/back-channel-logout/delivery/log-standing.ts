import type { Commit, EventStore, Work } from '../../../lib/index.ts'
import { fold } from '../recording/session-logout.ts'
import { type AttemptFailed, roundOf, sessionLogoutStream } from '../recording/session-logout-events.ts'
import type { Delivery } from './delivery.ts'
import { deliveryOf } from './rounds.ts'

/** What the log knows of a delivery that the work does not know. */
export type LogStanding =
  | { readonly kind: 'nothing' }
  /** How it ended: the RP would be told of what it has confirmed. */
  | { readonly kind: 'settled' }
  /** An attempt that failed: it would be counted as none, and the RP be asked before its time. */
  | { readonly kind: 'failed'; readonly delivery: Delivery; readonly dueAt: number }

/**
 * What a process has recorded that died before it could tell the work table. Reads only when somebody had the work in
 * hand before whose attempt does not count.
 */
export async function logStanding(store: EventStore, { id, fence }: Work, delivery: Delivery): Promise<LogStanding> {
  const { sessionUid, attempts } = delivery
  if (fence === attempts + 1) return { kind: 'nothing' } // each claim is an attempt that came back
  const commits = await store.read(sessionLogoutStream(sessionUid))
  const state = fold(sessionUid, commits).deliveries.get(deliveryOf(id))
  if (state === undefined) return { kind: 'nothing' }
  // Where a later round has begun, this one had ended before.
  if (state.kind !== 'pending' || roundOf(state) !== roundOf(delivery)) return { kind: 'settled' }
  if (!state.lastFailure || state.attempts <= attempts) return { kind: 'nothing' }
  const caughtUp = { ...delivery, attempts: state.attempts, badRequests: badRequests(commits, state.lastFailure) }
  return { kind: 'failed', delivery: caughtUp, dueAt: state.lastFailure.next_attempt_at }
}

/** How many attempts of the delivery the RP has answered with 400, in the round of this failure. */
function badRequests(commits: readonly Commit[], last: AttemptFailed): number {
  const events = commits.flatMap((commit) => commit.events)
  return events.filter(({ type, data }) => {
    if (type !== last.type) return false
    const { delivery, status, round = 0 } = data as unknown as AttemptFailed
    return delivery === last.delivery && round === roundOf(last) && status === 400
  }).length
}
