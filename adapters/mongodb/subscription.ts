import type { Clock } from '../../lib/clock.ts'
import { EventStoreError, StoreClosedError, StoreUnavailableError } from '../../lib/errors.ts'
import type { Commit } from '../../lib/log/commit.ts'
import type { Logger } from '../../lib/logger.ts'
import type { Collections } from './collections.ts'
import type { CommitMacs } from './commit-macs.ts'
import { commitOf, type EventsDocument, isFromNewerSchema, isTombstone } from './documents.ts'
import type { Latency } from './latency.ts'
import type { Positions } from './positions.ts'
import { HOLE_MS } from './settings.ts'
import { boundsOf, floorOf } from './settled.ts'
import type { SharedRuns } from './shared-runs.ts'
import type { TailPoll } from './tail-poll.ts'
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
  readonly tailPoll: TailPoll
  readonly runs: SharedRuns
}

/** At most so many missing positions are settled at a time. */
const BATCH = 500

/**
 * Pauses, in milliseconds: after a look that found nothing, doubled up to where the shared poll takes over; while
 * something is missing; and while the database does not answer.
 */
const PAUSE_MS = { least: 20, idle: 640, hole: 250, failing: 1_000 }

/**
 * The log in order, without a gap. Reads at majority, and delivers only the contiguous run: a later position seen while
 * an earlier one is missing is a *hole*, an insert that is under way, or will never come. Once this reader has
 * watched the hole long enough, by its own monotonic clock, it puts a tombstone there. Whoever inserts first wins, so
 * safety needs no clock; and what counts is only what is then read back.
 *
 * At or below `floor` it delivers what retention has left, and waits for nothing: no position there is ever filled.
 */
export async function* subscription(
  parts: SubscriptionParts,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<readonly Commit[]> {
  const { collections, positions, clock, logger, wakeups, tailPoll, runs } = parts
  const watch = new HoleWatch(parts)
  let position = after
  let floor: number | undefined
  let pauseMs = PAUSE_MS.least
  let failing = false
  /** Whether it was woken, and has not yet found what for. */
  let isExpecting = false
  while (!signal.aborted) {
    const woken = wakeups.next()
    let isIdle = false
    try {
      if (floor === undefined) {
        const bounds = await unlessAborted(signal, boundsOf(collections))
        floor = Math.min(bounds.floor, bounds.last)
        runs.reachTo(bounds.last)
      }
      if (position < floor) {
        const { documents, end } = await unlessAborted(signal, runs.left(position, floor))
        const delivered = readable(documents)
        const commits = genuine(delivered, collections.macs)
        position = delivered.length < documents.length ? Number(delivered.at(-1)?._id) : end
        if (commits.length > 0) yield commits
        continue
      }
      const run = await unlessAborted(signal, runs.behind(position))
      if (failing) logger.info({ position, event: 'subscription_reads_again' }, 'a subscription reads the log again')
      failing = false
      if (run.delivered.length > 0) {
        pauseMs = PAUSE_MS.least
        isExpecting = false
        const delivered = readable(run.delivered)
        const commits = genuine(delivered, run.isOwn ? undefined : collections.macs)
        position = Number(delivered.at(-1)?._id)
        positions.see(position)
        if (commits.length > 0) yield commits
        // Others may have woken it as well: it looks, but not before the next of its own may have come.
        if (!run.isOwn || woken.isWoken || position < positions.seen) continue
      } else if (run.nextSeen !== undefined) {
        floor = await unlessAborted(signal, floorOf(collections))
        if (floor > position) continue
        if (await unlessAborted(signal, watch.fill(position + 1, run.nextSeen - 1, signal))) continue
        pauseMs = Math.min(PAUSE_MS.hole, pauseMs)
      } else isIdle = pauseMs >= PAUSE_MS.idle || (tailPoll.isHinted && !isExpecting)
    } catch (error) {
      if (signal.aborted) return
      if (endsSubscription(error)) throw error
      if (!failing) {
        logger.warn(
          { err: error, event: 'subscription_cannot_read' },
          'a subscription cannot read the log; it goes on trying',
        )
      }
      failing = true
    }
    if (isIdle) await tailPoll.wait(position, woken, signal)
    else await woken.within(pauseMs, clock, signal)
    isExpecting = woken.isWoken || (isExpecting && !isIdle)
    pauseMs = woken.isWoken ? PAUSE_MS.least : Math.min(failing ? PAUSE_MS.failing : PAUSE_MS.idle, pauseMs * 2)
  }
}

/** What comes before a commit of a newer schema; that one, which throws, when it is the first. */
function readable(documents: readonly EventsDocument[]): readonly EventsDocument[] {
  const newer = documents.findIndex(isFromNewerSchema)
  return newer > 0 ? documents.slice(0, newer) : documents
}

/**
 * The commits that this OP has stored. One that was forged is passed over, and told of in the log: whoever follows it must
 * not be stopped by what anybody with access to the database can write.
 *
 * @param macs - absent: this process has appended them itself
 */
function genuine(documents: readonly EventsDocument[], macs: CommitMacs | undefined): Commit[] {
  return documents
    .filter((document) => !isTombstone(document))
    .filter((document) => macs?.isGenuine(document) ?? true)
    .map((document) => commitOf(document))
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
    logger.debug(
      { from, to, event: 'positions_closed' },
      'positions whose writer did not come are closed with tombstones',
    )
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

/** What this package throws by itself says something of the log; but the database that is away comes back. */
function endsSubscription(error: unknown): boolean {
  const isStoreUnavailable = error instanceof StoreUnavailableError || error instanceof StoreClosedError
  return error instanceof EventStoreError && !isStoreUnavailable && error.code !== 'STORE_REFUSED'
}
