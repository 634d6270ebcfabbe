import type { Clock } from '../../lib/clock.ts'
import { OutcomeUnknownError } from '../../lib/errors.ts'
import { refusalOf } from '../../lib/log/claims.ts'
import type { Appended } from '../../lib/log/commit.ts'
import type { Collections } from './collections.ts'
import type { EventsDocument } from './documents.ts'
import type { Pending } from './pending.ts'
import { isOutdated, type Moment } from './positions.ts'
import { DOCUMENTS_AT_ONCE } from './settings.ts'
import { floorOf } from './settled.ts'
import { settlePositions } from './tombstones.ts'

/** An append at a position where its insert failed, or may have. */
export interface Placed {
  readonly pending: Pending
  readonly position: number
  /** When the position was asked for. */
  readonly asked: Moment
}

/** What became of it. */
export type Resolution =
  /** It is in the log. */
  | { readonly appended: Appended }
  /** Its caller is told; it is not in the log, and will not be. */
  | { readonly error: Error }
  /** It is not in the log, and nothing holds its claims: it may try again, at a new position. */
  | { readonly retry: true }

/**
 * Finds out what became of appends, on E11000 and on an unknown outcome alike. Looks up, never parses a message;
 * everything it decides on is read at majority.
 *
 * 1. A tombstone is put at the position, and the position is read back. If the append's own commit is there, the
 *    acknowledgement was lost. If anything else is, the position is dead for it: no insert that is still under way can
 *    land there.
 * 2. Only then does it look for who holds the append's claims. Claims that another commit holds refuse it.
 *
 * 3. No holder: rolled back, retired, or a reader's tombstone. A new position.
 *
 * A position that is old may have been retired meanwhile. At or below the log's beginning nobody follows the log any more:
 * what is there may be unseen, and what is not there may have been removed. Its caller is told that it is not known.
 */
export async function resolveOutcomes<T extends Placed>(
  collections: Collections,
  clock: Clock,
  appends: readonly T[],
  signal: AbortSignal,
): Promise<Map<T, Resolution>> {
  const positions = appends.map(({ position }) => position)
  const owners = await settlePositions(collections, clock, positions, signal, (error) => {
    for (const { pending } of appends) pending.failure = error
  })
  const floor = appends.some(({ asked }) => isOutdated(asked, clock)) ? await floorOf(collections) : 0
  const isThere = ({ pending, position }: T): boolean => owners.get(position) === pending.commit.id
  const claims = appends.flatMap((append) => (isThere(append) ? [] : append.pending.commit.claims))
  const holders = await holdersOf(collections, claims)
  return new Map(
    appends.map((append) => {
      const { pending, position } = append
      if (position <= floor)
        return [append, { error: new OutcomeUnknownError('it was sent so late that its place in the log is over') }]
      const stored = { appended: { position, id: pending.commit.id } }
      return [append, isThere(append) ? stored : resolve(pending, holders)]
    }),
  )
}

type Holder = Pick<EventsDocument, '_id' | 'c' | 'k'>

async function holdersOf(collections: Collections, claims: readonly string[]): Promise<Holder[]> {
  if (claims.length === 0) return []
  const options = { projection: { c: 1, k: 1 }, batchSize: DOCUMENTS_AT_ONCE }
  return collections.attempt((signal) =>
    collections.majorityEvents.find({ k: { $in: [...claims] } }, { ...options, signal }).toArray(),
  )
}

function resolve({ commit }: Pending, holders: readonly Holder[]): Resolution {
  const own = holders.find(({ c }) => c === commit.id)
  if (own) return { appended: { position: Number(own._id), id: commit.id } }
  const held = commit.claims.filter((claim) => holders.some(({ k }) => k?.includes(claim)))
  return held.length === 0 ? { retry: true } : { error: refusalOf(held) }
}
