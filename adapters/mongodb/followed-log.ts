import type { Document } from 'mongodb'
import type { Clock } from '../../lib/clock.ts'
import type { Commit } from '../../lib/log/commit.ts'
import type { Follower, FollowListener, NewestOfStreams } from '../../lib/log/follower.ts'
import type { Logger } from '../../lib/logger.ts'
import type { Collections } from './collections.ts'
import { commitOf, type EventsDocument, isFromNewerSchema, isTombstone } from './documents.ts'
import type { Latency } from './latency.ts'
import { inStreams, type Pages } from './pages.ts'
import { watchPrimary } from './primary-watch.ts'
import { HOLE_MS } from './settings.ts'
import { floorOf, MARK_EVERY, settledPositions } from './settled.ts'
import { settlePositions } from './tombstones.ts'

/** So many commits that were appended since the last round come with the answer to a look-up. */
const NEWS = 100

/** Who is further behind catches up by pages of so many commits, and by so many pages at most; else he starts over. */
const BEHIND = { page: 500, pages: 2 }

/** Where more positions than this are missing, the log is not followed until they are settled: a few batches of appends. */
const MOST_HOLES = 2_500

/** After such a pause between two rounds, in milliseconds, it is looked whether positions were retired meanwhile. */
const PAUSED_MS = 60_000

/** The pause after a start that failed, in milliseconds. */
const RETRY_MS = 1_000

/** What a follower works with. */
export interface FollowedLogParts {
  readonly collections: Collections
  readonly pages: Pages
  readonly clock: Clock
  readonly latency: Latency
  readonly logger: Logger
}

/** A time in which the log is followed without a break. */
interface Run {
  /** The highest position that was seen. */
  top: number
  /** Positions below it that were not, and since when that is known, by the monotonic clock. */
  readonly holes: Map<number, number>
  /** When its last round was: by the monotonic clock, and by the clock of the wall. */
  lastRound: { readonly monotonic: number; readonly now: number }
  /** The contiguous position at which the mark was looked at. */
  marked: number
}

/**
 * Follows the log for one who keeps what he has read. One number says whether anything has changed: who has seen every
 * position up to `top`, but for the holes that he knows, asks for what lies above it and in the holes, and knows all that
 * was acknowledged before he asked. Nothing can appear anywhere else: positions are unique and never used again.
 *
 * Rounds read `local`, and may see what a fail-over undoes. So all this holds for one primary: when the client has
 * another one, or loses sight of it, everything starts over from what a majority has.
 */
export class FollowedLog implements Follower {
  readonly #parts: FollowedLogParts
  readonly #listener: FollowListener
  readonly #closing = new AbortController()
  readonly #unwatch: () => void
  readonly #onClose: (follower: FollowedLog) => void
  #run: Run | undefined
  /** Raised with each change of primary. */
  #epoch = 0
  #isStarting = false
  #notBefore = Number.NEGATIVE_INFINITY
  /** Whether missing positions are being settled, or the mark is being raised. */
  #isTidying = false

  constructor(parts: FollowedLogParts, listener: FollowListener, onClose: (follower: FollowedLog) => void) {
    this.#parts = parts
    this.#listener = listener
    this.#onClose = onClose
    this.#unwatch = watchPrimary(parts.collections.client, () => {
      this.#epoch++
      this.#startOver(this.#run)
    })
  }

  get isFollowing(): boolean {
    return this.#run !== undefined
  }

  /** An append of this process was acknowledged. */
  appended(commit: Commit): void {
    if (this.#run) this.#see(this.#run, commit.position)
    if (this.#run) this.#listener.appended(commit)
  }

  async read(streams: readonly string[], limit: number): Promise<NewestOfStreams> {
    const run = this.#run
    if (!run) this.#start()
    else {
      await this.#assertNotRetired(run)
      const answer = await this.#round(run, streams, limit)
      if (this.#run === run) return answer
    }
    // An answer from before a change of primary is not one.
    if (streams.length === 0) return { commits: [], isComplete: true }
    const commits = await this.#parts.pages.commits({ direction: 'backwards', limit }, streams)
    return { commits, isComplete: commits.length < limit }
  }

  close(): void {
    this.#closing.abort()
    this.#unwatch()
    this.#run = undefined
    this.#onClose(this)
  }

  async #round(run: Run, streams: readonly string[], limit: number): Promise<NewestOfStreams> {
    const most = limit + NEWS + run.holes.size
    const wanted = new Set(streams)
    const filter = or([...newsOf(run), ...(streams.length > 0 ? [inStreams(streams)] : [])])
    const page = await this.#parts.pages.documents(filter, -1, most)
    const isComplete = page.isComplete && page.documents.length < most
    const commits = new Map<EventsDocument, Commit>()
    if (isComplete) this.#take(run, page.documents.toReversed(), commits)
    else await this.#catchUp(run)
    run.lastRound = this.#now()
    this.#tidy(run)
    const found = page.documents.filter(
      (document) => !isTombstone(document) && document.s.some((name) => wanted.has(name)),
    )
    return {
      commits: found.map((document) => commits.get(document) ?? commitOf(document, this.#parts.collections.macs)),
      isComplete,
    }
  }

  /** Reads what was appended since the last round, page by page; starts over where that is too much. */
  async #catchUp(run: Run): Promise<void> {
    for (let pages = 0; pages < BEHIND.pages && this.#run === run; pages++) {
      const most = BEHIND.page + run.holes.size
      const { documents, isComplete } = await this.#parts.pages.documents(or(newsOf(run)), 1, most)
      this.#take(run, documents, new Map())
      if (isComplete && documents.length < most) return
    }
    this.#startOver(run)
  }

  /** Takes what was found, oldest first, and tells the listener what is new of it. */
  #take(run: Run, documents: readonly EventsDocument[], commits: Map<EventsDocument, Commit>): void {
    const found: Commit[] = []
    for (const document of documents) {
      if (this.#run !== run) return
      if (!this.#see(run, Number(document._id)) || isTombstone(document)) continue
      if (isFromNewerSchema(document) || !this.#parts.collections.macs.isGenuine(document)) {
        this.#listener.unreadable(document.s)
        continue
      }
      const commit = commitOf(document)
      commits.set(document, commit)
      found.push(commit)
    }
    if (found.length > 0) this.#listener.found(found)
  }

  /** Whether the position is new. */
  #see(run: Run, position: number): boolean {
    if (position <= run.top) return run.holes.delete(position)
    if (run.holes.size + position - run.top - 1 > MOST_HOLES) {
      this.#startOver(run)
      return false
    }
    const now = this.#parts.clock.monotonic()
    for (let hole = run.top + 1; hole < position; hole++) run.holes.set(hole, now)
    run.top = position
    return true
  }

  /** What was retired while nothing was read is missing, and nobody would say so: after a pause it is asked for. */
  async #assertNotRetired(run: Run): Promise<void> {
    const { monotonic, now } = this.#now()
    const pausedMs = Math.max(monotonic - run.lastRound.monotonic, Math.abs(now - run.lastRound.now))
    if (pausedMs <= PAUSED_MS) return
    const { collections } = this.#parts
    if ((await collections.withTimeout(() => floorOf(collections))) > contiguous(run)) this.#startOver(run)
  }

  #now(): Run['lastRound'] {
    const { clock } = this.#parts
    return { monotonic: clock.monotonic(), now: clock.now() }
  }

  #startOver(run: Run | undefined): void {
    if (!run || this.#run !== run) return
    this.#run = undefined
    this.#listener.startOver()
  }

  /** Begins to follow, behind the caller's back: until it is done, everything is read. */
  #start(): void {
    const { clock, logger } = this.#parts
    if (this.#isStarting || this.#closing.signal.aborted || clock.monotonic() < this.#notBefore) return
    this.#isStarting = true
    const settled = this.#findStart().catch((error) => {
      logger.debug({ err: error, event: 'log_not_followed' }, 'the log cannot be followed yet: everything is read')
    })
    void settled.then(() => {
      this.#isStarting = false
      if (!this.#run) this.#notBefore = clock.monotonic() + RETRY_MS
    })
  }

  async #findStart(): Promise<void> {
    const { collections, clock } = this.#parts
    const epoch = this.#epoch
    const { top, holes, isComplete } = await settledPositions(collections, MOST_HOLES)
    const now = this.#now()
    const run: Run = {
      top,
      holes: new Map(holes.map((hole) => [hole, now.monotonic])),
      lastRound: now,
      marked: (holes[0] ?? top + 1) - 1,
    }
    if (!isComplete) {
      await clock.sleep(this.#holeMs, this.#closing.signal)
      await this.#settle(holes)
    } else if (epoch === this.#epoch && !this.#closing.signal.aborted) this.#run = run
  }

  /** Settles positions whose writer does not come, and raises the mark, behind everybody's back. */
  #tidy(run: Run): void {
    if (this.#isTidying || this.#run !== run) return
    const { clock, collections, logger } = this.#parts
    const longAgo = clock.monotonic() - this.#holeMs
    const missing = [...run.holes].filter(([, since]) => since < longAgo).map(([position]) => position)
    const isMarkDue = contiguous(run) - run.marked >= MARK_EVERY
    if (missing.length === 0 && !isMarkDue) return
    this.#isTidying = true
    const tidy = async (): Promise<void> => {
      if (isMarkDue) run.marked = contiguous(run)
      if (isMarkDue) await settledPositions(collections, MOST_HOLES)
      if (missing.length > 0 && !(await this.#settle(missing))) this.#startOver(run)
    }
    void tidy()
      .catch((error) => logger.debug({ err: error, event: 'positions_not_settled' }, 'positions could not be settled'))
      .then(() => {
        this.#isTidying = false
      })
  }

  /** False: some of them are retired, and nothing may ever be put there. */
  async #settle(missing: readonly number[]): Promise<boolean> {
    const { collections, clock, logger } = this.#parts
    if ((await floorOf(collections)) >= Math.min(...missing)) return false
    logger.debug(
      { positions: missing.length, event: 'positions_closed' },
      'positions whose writer did not come are closed with tombstones',
    )
    await settlePositions(collections, clock, missing, this.#closing.signal)
    return true
  }

  /** For so long a missing position is left to its writer. */
  get #holeMs(): number {
    return Math.max(HOLE_MS, 4 * this.#parts.latency.p99)
  }
}

/** The highest position up to which none is missing. */
function contiguous({ top, holes }: Run): number {
  let lowest = top + 1
  for (const hole of holes.keys()) if (hole < lowest) lowest = hole
  return lowest - 1
}

/** What was appended since the last round, as the filter of a query. */
function newsOf({ top, holes }: Run): Document[] {
  const above = { _id: { $gt: BigInt(top) } }
  return holes.size === 0 ? [above] : [above, { _id: { $in: [...holes.keys()].map((hole) => BigInt(hole)) } }]
}

function or(filters: readonly Document[]): Document {
  const [only] = filters
  return filters.length === 1 && only !== undefined ? only : { $or: filters }
}
