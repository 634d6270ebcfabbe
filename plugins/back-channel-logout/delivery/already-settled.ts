import type { EventStore, Work } from '../../../lib/index.ts'
import { fold } from '../recording/session-logout.ts'
import { roundOf, sessionLogoutStream } from '../recording/session-logout-events.ts'
import type { Delivery } from './delivery.ts'
import { deliveryOf } from './rounds.ts'

/**
 * Whether the log knows already how the delivery ended: a process that died between recording it and finishing the work
 * leaves the work to be done, and the RP would be told of what it has confirmed. Reads only when somebody had the work in
 * hand before whose attempt does not count.
 */
export async function alreadySettled(store: EventStore, { id, fence }: Work, delivery: Delivery): Promise<boolean> {
  const { sessionUid, attempts } = delivery
  if (fence === attempts + 1) return false // each claim is an attempt that came back
  const logout = fold(sessionUid, await store.read(sessionLogoutStream(sessionUid)))
  const state = logout.deliveries.get(deliveryOf(id))
  // A later round has begun: this one had ended before.
  return state !== undefined && (state.kind !== 'pending' || roundOf(state) !== roundOf(delivery))
}
