import { randomBytes } from 'node:crypto'
import type { Clock } from '../../lib/clock.ts'
import type { Collections } from './collections.ts'
import { type EventsDocument, tombstone } from './documents.ts'
import { assertNoForeignUniqueIndex } from './foreign-indexes.ts'
import { assertWritten, isDiskFull, isDuplicate, isPermanent } from './outcome.ts'
import { DOCUMENTS_AT_ONCE } from './settings.ts'

/** Waits between tries while the database does not answer, in milliseconds. */
const PAUSES_MS: readonly number[] = [5, 20, 50, 100, 200, 500, 1_000]

/** After so many tries in which a unique index refused tombstones at free positions, another index is looked for. */
const SUSPICIOUS_TRIES = 5

/**
 * Makes sure that positions have an owner, and says who it is, as commit ids by position: whoever inserted first, a
 * commit or a tombstone. A tombstone counts only once it was read back at majority. Goes on until the database has
 * answered for all of them, or `signal` aborts. Few commands, however many positions: a fail-over may leave a whole
 * batch to be settled, on a primary that has enough to do.
 *
 * @param onFailure - called with the error of each try, but for a position that is taken
 * @throws what the server says when it refuses for good, or when its disk is full; StoreRefusedError when a unique index that is not the log's refuses
 */
export async function settlePositions(
  collections: Collections,
  clock: Clock,
  positions: readonly number[],
  signal: AbortSignal,
  onFailure: (error: unknown) => void = () => {},
): Promise<Map<number, string>> {
  const owners = new Map<number, string>()
  let missing = positions
  let refused = 0
  for (let tries = 0; ; tries++) {
    signal.throwIfAborted()
    try {
      for (const [position, owner] of await ownersOf(collections, missing)) owners.set(position, owner)
      missing = missing.filter((position) => !owners.has(position))
      if (missing.length === 0) return owners
    } catch (error) {
      if (isPermanent(error)) throw error
      onFailure(error)
    }
    const failure = await insertTombstones(collections, clock, missing)
    if (isPermanent(failure) || isDiskFull(failure)) throw failure
    if (isDuplicate(failure)) refused++
    else if (failure !== undefined) onFailure(failure)
    if (refused >= SUSPICIOUS_TRIES) await assertNoForeignUniqueIndex(collections)
    // Another writer was first and its document has no majority yet, or the server did not answer.
    if (failure !== undefined) await clock.sleep(PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)] as number, signal)
  }
}

async function ownersOf(collections: Collections, positions: readonly number[]): Promise<[number, string][]> {
  const ids = positions.map((position) => BigInt(position))
  const found = await collections.attempt((signal) =>
    collections.majorityEvents
      .find({ _id: { $in: ids } }, { projection: { c: 1 }, batchSize: DOCUMENTS_AT_ONCE, signal })
      .toArray(),
  )
  return found.map(({ _id, c }) => [Number(_id), c])
}

/** Inserts tombstones where nothing is yet; the read that follows tells which were first. Returns the error, if any. */
async function insertTombstones(
  collections: Collections,
  clock: Clock,
  positions: readonly number[],
): Promise<unknown> {
  const tombstones: EventsDocument[] = positions.map((position) =>
    tombstone(position, `tombstone ${randomBytes(9).toString('base64url')}`, clock.now()),
  )
  try {
    assertWritten(await collections.attempt((signal) => collections.insert('events', tombstones, signal)))
    return undefined
  } catch (error) {
    return error
  }
}
