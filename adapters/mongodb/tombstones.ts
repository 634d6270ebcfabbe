import { randomBytes } from 'node:crypto'
import { Long } from 'mongodb'
import type { Clock } from '../../lib/clock.ts'
import type { Collections } from './collections.ts'
import { type EventsDocument, tombstone } from './documents.ts'
import { isPermanent } from './outcome.ts'

/** Waits between tries while the database does not answer, in milliseconds. */
const PAUSES_MS: readonly number[] = [5, 20, 50, 100, 200, 500, 1_000]

/**
 * Makes sure that a position has an owner, and says who it is: whoever inserted first, a commit or a tombstone. A
 * tombstone counts only once it was read back at majority. Goes on until the database has answered, or `signal` aborts.
 *
 * @throws what the server says when it refuses for good
 */
export async function settlePosition(
  collections: Collections,
  clock: Clock,
  position: number,
  signal: AbortSignal,
): Promise<Pick<EventsDocument, 'c' | 'e'>> {
  for (let tries = 0; ; tries++) {
    signal.throwIfAborted()
    try {
      const holder = await collections.majorityEvents.findOne(
        { _id: Long.fromNumber(position) },
        { projection: { c: 1, e: 1 } },
      )
      if (holder) return holder
      await insertTombstone(collections, clock, position)
    } catch (error) {
      if (isPermanent(error)) throw error
      await clock.sleep(PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)] as number, signal)
    }
  }
}

/** Resolves whether or not it came first: the read that follows tells. */
async function insertTombstone(collections: Collections, clock: Clock, position: number): Promise<void> {
  try {
    await collections.events.insertOne(
      tombstone(position, `tombstone ${randomBytes(9).toString('base64url')}`, clock.now()),
    )
  } catch (error) {
    if (isPermanent(error)) throw error
    await clock.sleep(PAUSES_MS[0] as number)
  }
}
