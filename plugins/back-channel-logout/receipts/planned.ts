import { type Clock, ErasureUnfinishedError, type EventStore } from '../../../lib/index.ts'
import { behind } from '../../../lib/log/behind.ts'
import { isIn } from '../../../lib/log/commit.ts'
import { parkedPositions } from '../delivery/parked-commits.ts'
import { PLANNER } from '../delivery/planner.ts'
import { accountStreams } from '../recording/index-streams.ts'

/** How often the planner is looked at, and for how long at most, in milliseconds. */
const LOOK_MS = 500
const MOST_MS = 60_000

/** So many parked commits are looked at. */
const MOST_PARKED = 100

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
  while ((await behind(store, await plannedUpTo(store), end)) > 0) {
    signal?.throwIfAborted()
    if (clock.monotonic() - began >= MOST_MS)
      throw new ErasureUnfinishedError(
        'its RPs are not told yet, since the planner does not come so far: health() says more',
      )
    await clock.sleep(LOOK_MS, signal)
  }
}

/**
 * That no end of a session of the account is parked: when its key is destroyed nobody can be told of it any more.
 *
 * @throws ErasureUnfinishedError (`ERASURE_UNFINISHED`): one is, or too many are to tell
 */
export async function assertNoneParked(store: EventStore, accountId: string): Promise<void> {
  const positions = await parkedPositions(store, MOST_PARKED)
  if (positions.length < MOST_PARKED && !(await isAnyOf(store, positions, accountId))) return
  throw new ErasureUnfinishedError(
    'ends of sessions could not be planned and are parked, so that its RPs are not told: see parked() and retryParked()',
  )
}

/** Whether one of these commits is about the account. */
async function isAnyOf(store: EventStore, positions: readonly number[], accountId: string): Promise<boolean> {
  const streams = accountStreams(store.keys, accountId)
  const commits = await Promise.all(positions.map((position) => store.readAll({ after: position - 1, limit: 1 })))
  const parked = commits.flat().filter(({ position }) => positions.includes(position))
  return parked.some(({ events }) => events.some((event) => streams.some((stream) => isIn(event, stream))))
}
