import type { Clock } from '../../lib/clock.ts'
import { judgeHeld, mismatch } from '../../lib/log/claims.ts'
import type { Appended } from '../../lib/log/commit.ts'
import type { Collections } from './collections.ts'
import type { EventsDocument } from './documents.ts'
import type { Pending } from './pending.ts'
import { settlePosition } from './tombstones.ts'

/** What became of an append whose insert failed, or may have. */
export type Verdict =
  /** It is in the log. */
  | { readonly appended: Appended }
  /** Its caller is told; it is not in the log, and will not be. */
  | { readonly error: Error }
  /** It is not in the log, and nothing holds its claims: it may try again, at a new position. */
  | { readonly again: true }

/**
 * Finds out what became of an append, on E11000 and on an unknown outcome alike. Looks up, never parses a message;
 * everything it decides on is read at majority.
 *
 * 1. A tombstone is put at the position, and the position is read back. If the append's own commit is there, the
 *    acknowledgement was lost. If anything else is, the position is dead for it: no insert that is still under way can
 *    land there.
 * 2. Only then does it look for who holds the append's claims. The same idempotency key with the same content is
 *    success; other claims that are held refuse it.
 * 3. No holder: rolled back, retired, or a reader's tombstone. A new position.
 */
export async function verdict(
  collections: Collections,
  clock: Clock,
  pending: Pending,
  position: number,
  signal: AbortSignal,
): Promise<Verdict> {
  const holder = await settlePosition(collections, clock, position, signal)
  if (holder.c === pending.commit.id) return { appended: { position, id: pending.commit.id } }
  const claims = pending.commit.claims
  if (claims.length === 0) return { again: true }
  const holders = await collections.majorityEvents
    .find({ k: { $in: [...claims] } }, { projection: { c: 1, k: 1, h: 1 } })
    .toArray()
  return judge(pending, holders)
}

type Holder = Pick<EventsDocument, '_id' | 'c' | 'k' | 'h'>

function judge({ commit }: Pending, holders: readonly Holder[]): Verdict {
  const own = holders.find(({ c }) => c === commit.id)
  if (own) return { appended: { position: Number(own._id), id: commit.id } }
  const held = commit.claims.filter((claim) => holders.some(({ k }) => k?.includes(claim)))
  if (held.length === 0) return { again: true }
  const judged = judgeHeld(held)
  if ('error' in judged) return judged
  const earlier = holders.find(({ k }) => k?.includes(judged.idempotencyKey)) as Holder
  if (earlier.h !== commit.contentHash) return { error: mismatch(judged.idempotencyKey) }
  return { appended: { position: Number(earlier._id), id: earlier.c } }
}
