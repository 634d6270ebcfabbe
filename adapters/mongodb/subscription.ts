import { Long } from 'mongodb'
import type { Clock } from '../../lib/clock.ts'
import type { Commit } from '../../lib/log/commit.ts'
import type { Logger } from '../../lib/logger.ts'
import type { Collections } from './collections.ts'
import { commitOf, type EventsDocument, isFromNewerSchema, isTombstone } from './documents.ts'
import type { Latency } from './latency.ts'
import type { Positions } from './positions.ts'
import { settlePositions } from './tombstones.ts'
import type { Wakeups } from './wakeups.ts'

/** What a subscription works with. */
export interface SubscriptionParts {
  readonly collections: Collections
  readonly positions: Positions
  readonly clock: Clock
  readonly latency: Latency
  readonly logger: Logger
  readonly wakeups: Wakeups
}

/** At most so many positions are read at a time. */
const BATCH = 500

/** A missing position is left to its writer for this long, in milliseconds, or longer where inserts are slow. */
const HOLE_MS = 1_000

/** Pauses while there is nothing new, and while the database does not answer, in milliseconds. */
const POLL_MS = { least: 20, most: 1_000 }

/**
 * The log in order, without a gap. Reads at majority, and delivers only the contiguous run: a later position seen while
 * an earlier one is missing is a *hole*, somebody's insert that is under way, or will never come. Once this reader has
 * watched the hole long enough, by its own monotonic clock, it puts a tombstone there. Whoever inserts first wins, so
 * safety needs no clock; and what counts is only what is then read back.
 *
 * Starts at `floor` and never fills at or below it: those positions are retired, and are not waited for.
 */
export async function* subscription(
  parts: SubscriptionParts,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<readonly Commit[]> {
  const { collections, positions, clock, logger, wakeups } = parts
  const watch = new HoleWatch(parts)
  let position = after
  let started = false
  let pause = POLL_MS.least
  let failing = false
  while (!signal.aborted) {
    const woken = wakeups.next()
    try {
      if (!started) position = Math.max(position, await unlessAborted(signal, floorOf(collections)))
      started = true
      const run = await unlessAborted(signal, readRun(collections, position))
      if (failing) logger.info({ position }, 'a subscription reads the log again')
      failing = false
      if (run.delivered.length > 0) {
        pause = POLL_MS.least
        // What comes before a commit of a newer schema is delivered; that one throws when it is the first.
        const newer = run.delivered.findIndex(isFromNewerSchema)
        const delivered = newer > 0 ? run.delivered.slice(0, newer) : run.delivered
        const commits = delivered.filter((document) => !isTombstone(document)).map(commitOf)
        position = Number(delivered.at(-1)?._id)
        positions.see(position)
        if (commits.length > 0) yield commits
        continue
      }
      if (run.nextSeen !== undefined) {
        const floor = await unlessAborted(signal, floorOf(collections))
        if (floor > position) {
          position = floor
          continue
        }
        if (await unlessAborted(signal, watch.fill(position + 1, run.nextSeen - 1, signal))) continue
        pause = POLL_MS.least
      }
    } catch (error) {
      if (signal.aborted) return
      if (isOurs(error)) throw error
      if (!failing) logger.warn({ err: error }, 'a subscription cannot read the log; it goes on trying')
      failing = true
    }
    await woken.within(pause, clock, signal)
    pause = Math.min(POLL_MS.most, pause * 2)
  }
}

interface Run {
  /** The contiguous positions after the one asked for. */
  readonly delivered: readonly EventsDocument[]
  /** The first position beyond a hole, if there is one. */
  readonly nextSeen: number | undefined
}

async function readRun(collections: Collections, position: number): Promise<Run> {
  const documents = await collections.majorityEvents
    .find({ _id: { $gt: Long.fromNumber(position) } })
    .sort({ _id: 1 })
    .limit(BATCH)
    .toArray()
  let length = 0
  while (length < documents.length && Number(documents[length]?._id) === position + 1 + length) length++
  const next = documents[length]
  return { delivered: documents.slice(0, length), nextSeen: next && Number(next._id) }
}

async function floorOf(collections: Collections): Promise<number> {
  const counter = await collections.counters.findOne({ _id: 'events' }, { projection: { floor: 1 } })
  return Number(counter?.floor ?? 0)
}

/** How long this reader has watched which hole. */
class HoleWatch {
  readonly #parts: SubscriptionParts
  #from = 0
  #to = 0
  #since = 0

  constructor(parts: SubscriptionParts) {
    this.#parts = parts
  }

  /** Watches the missing positions; settles them once they were watched long enough. True: read again. */
  async fill(from: number, to: number, signal: AbortSignal): Promise<boolean> {
    const { collections, clock, latency, logger } = this.#parts
    if (from !== this.#from || to > this.#to) {
      this.#from = from
      this.#to = to
      this.#since = clock.monotonic()
    }
    if (clock.monotonic() - this.#since < Math.max(HOLE_MS, 4 * latency.p99)) return false
    logger.debug({ from, to }, 'positions whose writer did not come are closed with tombstones')
    for (let next = from; next <= to; next += BATCH) {
      const missing = Array.from({ length: Math.min(BATCH, to - next + 1) }, (_, index) => next + index)
      await settlePositions(collections, clock, missing, signal)
    }
    return true
  }
}

/** What a server that hangs may never answer is not waited for when the subscription ends. Rejects then. */
async function unlessAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let abort = (): void => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function isOurs(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'SCHEMA_NEWER'
}
