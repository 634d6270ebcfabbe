import type { EventStore } from '../../../lib/index.ts'
import { PLANNER } from '../delivery/planner.ts'

/**
 * Up to which position of the log it is decided whom to tell. Ask before the logout is read: what is decided is recorded
 * before this position moves.
 */
export async function plannedUpTo(store: EventStore): Promise<number> {
  return (await store.consumers.get(PLANNER))?.position ?? 0
}
