import { type Clock, ErasureUnfinishedError, type EventStore } from '../../../lib/index.ts'
import { PLANNER } from '../delivery/planner.ts'

/** How often the planner is looked at, and for how long at most, in milliseconds. */
const LOOK_MS = 500
const MOST_MS = 60_000

/**
 * Up to which position of the log it is decided whom to tell. Ask before the logout is read: what is decided is recorded
 * before this position moves.
 */
export async function plannedUpTo(store: EventStore): Promise<number> {
  return (await store.consumers.get(PLANNER))?.position ?? 0
}

/**
 * Resolves when it is decided, of everything that is in the log now, whom to tell, and the work that follows is there.
 *
 * @throws ErasureUnfinishedError (`ERASURE_UNFINISHED`): not within a minute
 */
export async function untilPlanned(
  { store, clock }: { readonly store: EventStore; readonly clock: Clock },
  signal?: AbortSignal,
): Promise<void> {
  const end = await store.end()
  const began = clock.monotonic()
  while ((await plannedUpTo(store)) < end) {
    signal?.throwIfAborted()
    if (clock.monotonic() - began >= MOST_MS)
      throw new ErasureUnfinishedError(
        'its RPs are not told yet, since the planner does not come so far: health() says more',
      )
    await clock.sleep(LOOK_MS, signal)
  }
}
