import { type Clock, oncePerTurn } from '../../lib/clock.ts'
import { OutcomeUnknownError, StoreClosedError, StoreUnavailableError } from '../../lib/errors.ts'
import type { Appended, NewCommit } from '../../lib/log/commit.ts'
import { prepare } from '../../lib/log/prepare.ts'
import { Slots } from '../../lib/slots.ts'
import { AppendQueue, type Limits } from './append-queue.ts'
import type { Collections } from './collections.ts'
import { documentOf, type EventsDocument, placed, type UnplacedDocument } from './documents.ts'
import { FastPath } from './fast-path.ts'
import type { Latency } from './latency.ts'
import { answerOf, codeOf, type Outcome, outcomesOfFastPath, outcomesOfInsert } from './outcome.ts'
import { newPending, type Pending } from './pending.ts'
import { type Allocation, isOutdated, type Moment, momentOf, type Positions } from './positions.ts'
import { assertPredecessors } from './predecessors.ts'
import { Resolver, type Unresolved } from './resolver.ts'
import { refusalOfCommit, whyOf } from './store-errors.ts'
import { TimeLimit } from './time-limit.ts'

/** The limits of a batch: it goes as one document of at most 16 MB. */
const BATCH: Limits = { commits: 1_000, bytes: 12 * 1024 * 1024 }

/** The limits of the queue. An append beyond them is rejected at once: the database is away, or too slow. */
const QUEUE: Limits = { commits: 20_000, bytes: 128 * 1024 * 1024 }

/**
 * So many batches are in flight at a time: while the server is at one, the next is made and gets its positions. And so
 * many are sent and not settled: in flight, overtaken, or of unknown outcome.
 */
const BATCHES = { most: 2, open: 8 }

/** A batch that has not been answered for so long, in milliseconds, or four times as long as inserts take, is overtaken. */
const OVERTAKE_MS = 250

/**
 * How long a caller of `append()` waits at most, in milliseconds. One whose commit may have been sent is told
 * `OUTCOME_UNKNOWN`, and it is found out behind; one whose commit was not is told `STORE_UNAVAILABLE`.
 */
export const APPEND_TIMEOUT_MS = 9_000

/** So many commits take the fast path at most: a server may take the statements of one command one by one. */
const FAST_PATH_COMMITS = 2

/** What the appender works with. */
export interface AppenderParts {
  readonly collections: Collections
  readonly positions: Positions
  readonly clock: Clock
  readonly latency: Latency
  /** Whether the server knows `bulkWrite` (8.0 on). */
  readonly fastPath: boolean
  /** Called with each acknowledged commit. */
  readonly onAppended: (document: EventsDocument, bytes: number) => void
  /** Called with the number of commits of each batch that was answered. */
  readonly onBatch: (commits: number) => void
}

/**
 * Group commit. Appends queue; while batches are in flight the next ones gather; when one lands, they go as one batch:
 * one command allocates a range of positions, one inserts. An idle process adds no delay.
 *
 * A batch is *sent*, then each of its commits is either acknowledged or *resolved* (see `Resolver`). While some resolve,
 * other batches go, without appends that write the same streams: the later of two writes never lands below the earlier.
 * No append gets a new position before its old one is proven dead.
 *
 * A command that is not answered within its time limit has an unknown outcome: its connection is given up, and the
 * outcome is resolved over another one. The batches behind do not wait for that long: one that is slow is overtaken.
 *
 * When nothing of this process is in flight, the fast path is tried first: see `FastPath`.
 */
export class Appender {
  readonly #parts: AppenderParts
  readonly #queue = new AppendQueue()
  readonly #taken = new Set<Pending>()
  readonly #unanswered: TimeLimit<Pending>
  readonly #resolver: Resolver
  readonly #fastPath: FastPath
  readonly #slots: Slots
  /** Soon: whoever appends in the same turn of the event loop joins, and so do those who were just answered. */
  readonly #send = oncePerTurn(() => this.#sendNext())
  #entering = 0
  #last: number | undefined
  #closed = false
  #idle: (() => void)[] = []

  constructor(parts: AppenderParts) {
    const { collections, clock, positions, latency } = parts
    this.#parts = parts
    this.#fastPath = new FastPath(collections)
    this.#unanswered = new TimeLimit(clock, APPEND_TIMEOUT_MS, answerLate)
    const overtakeMs = (): number => Math.max(OVERTAKE_MS, 4 * latency.p99)
    this.#slots = new Slots(clock, { ...BATCHES, overtakeMs }, () => this.#send())
    this.#resolver = new Resolver({
      collections,
      clock,
      see: (position) => positions.see(position),
      acknowledge: (pending, appended) => this.#acknowledge(pending, appended),
      reject: (pending, error) => this.#reject(pending, error),
      again: (pending) => this.#again(pending),
      onRefused: (error, since) => this.#refuseWaiting(error, since),
    })
  }

  async append(commit: NewCommit): Promise<Appended> {
    if (this.#closed) throw new StoreClosedError()
    const { clock } = this.#parts
    const since = clock.monotonic()
    const prepared = prepare(commit)
    const document = documentOf(prepared, clock.now())
    if (this.#queue.isFull(QUEUE)) {
      throw new StoreUnavailableError('too many appends wait for MongoDB: nothing was stored, try again later')
    }
    this.#entering++
    try {
      if (prepared.isVersioned) await assertPredecessors(this.#parts, prepared, APPEND_TIMEOUT_MS)
      return await this.#enqueue({ commit: prepared, document, bytes: prepared.bytes, since })
    } finally {
      this.#entering--
      if (this.#entering === 0) for (const idle of this.#idle.splice(0)) idle()
    }
  }

  #enqueue(what: Pick<Pending, 'commit' | 'document' | 'bytes' | 'since'>): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const pending = newPending(what, { resolve, reject }, (settled) => {
        this.#unanswered.remove(settled)
        if (!this.#taken.has(settled)) this.#queue.leave(settled)
      })
      this.#unanswered.add(pending)
      this.#queue.push(pending)
      this.#send()
    })
  }

  /**
   * Waits until every append has been answered, which takes `APPEND_TIMEOUT_MS` at most. Returns how many of them have
   * been told `OUTCOME_UNKNOWN` and were not found out: nobody goes on with them.
   */
  async close(): Promise<number> {
    this.#closed = true
    if (this.#entering > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
    const unknown = [...this.#taken].filter(({ sent }) => sent).length
    this.#resolver.stop()
    this.#unanswered.stop()
    return unknown
  }

  #sendNext(): void {
    while (this.#slots.isFree) {
      const batch = this.#queue.take(BATCH)
      if (batch.length === 0) return
      const isAlone = this.#taken.size === 0
      for (const pending of batch) this.#taken.add(pending)
      this.#slots.occupy(this.#sendBatch(batch, isAlone))
    }
    if (this.#isRefused && this.#queue.waiting.length > 0) this.#resolver.tryAgain()
  }

  /** Whether the server refuses to settle every batch that may be open. */
  get #isRefused(): boolean {
    return this.#resolver.refused >= BATCHES.open
  }

  /**
   * Those that wait were not sent, and cannot be before the server settles a batch. What it said to a question that was asked
   * before they came says nothing of them: it may have room by now, and is asked again.
   */
  #refuseWaiting(error: unknown, since: number): void {
    if (!this.#isRefused) return
    for (const pending of this.#queue.waiting) if (pending.since <= since) this.#reject(pending, refusalOfCommit(error))
    if (this.#queue.waiting.length > 0) this.#resolver.tryAgain()
  }

  async #sendBatch(batch: readonly Pending[], isAlone: boolean): Promise<void> {
    if (isAlone && (await this.#tryFastPath(batch))) return
    const allocation = await this.#allocate(batch)
    for (const pending of batch) if (pending.settled) this.#leave(pending)
    const live = batch.filter((pending) => !pending.settled)
    if (allocation && live.length > 0) await this.#insert(live, allocation)
  }

  /** True: the batch went this way. False: allocate positions. */
  async #tryFastPath(batch: readonly Pending[]): Promise<boolean> {
    const { collections, positions, fastPath, clock } = this.#parts
    const fits = batch.length <= FAST_PATH_COMMITS
    if (!fastPath || !fits || !this.#fastPath.isWorthIt || this.#last === undefined) return false
    const last = Math.max(this.#last, positions.seen)
    for (const pending of batch) pending.sent = true
    const started = clock.monotonic()
    const asked = momentOf(clock)
    const { moved, answer } = await this.#fastPath.send(placed(documentsOf(batch), last + 1, collections.macs), last)
    if (moved) for (const pending of batch) pending.sent = false
    else this.#landed(batch, last + 1, started, outcomesOfFastPath(answer, batch.length), asked)
    return !moved
  }

  /** Undefined when no caller waits any more. */
  async #allocate(batch: readonly Pending[]): Promise<Allocation | undefined> {
    try {
      const isWanted = (): boolean => batch.some(({ settled }) => !settled)
      return await this.#parts.positions.allocate(batch.length, isWanted, (error) => {
        for (const pending of batch) pending.failure = error
      })
    } catch (error) {
      for (const pending of batch) this.#reject(pending, refusalOfCommit(error))
      return undefined
    }
  }

  async #insert(batch: readonly Pending[], { first, asked }: Allocation): Promise<void> {
    const { collections, clock } = this.#parts
    for (const pending of batch) pending.sent = true
    const started = clock.monotonic()
    const documents = placed(documentsOf(batch), first, collections.macs)
    const answer = await answerOf(collections.attempt((signal) => collections.insert('events', documents, signal)))
    const outcomes = outcomesOfInsert(answer, batch.length)
    this.#landed(batch, first, started, isOutdated(asked, clock) ? outcomes.map(doubted) : outcomes, asked)
  }

  #landed(
    batch: readonly Pending[],
    first: number,
    started: number,
    outcomes: readonly Outcome[],
    asked: Moment,
  ): void {
    const { clock, latency, onBatch } = this.#parts
    // How long nothing was heard says nothing of how long an insert takes.
    if (outcomes.every(({ kind }) => kind !== 'unknown')) latency.record(clock.monotonic() - started)
    this.#last = Math.max(this.#last ?? 0, first + batch.length - 1)
    const unresolved: Unresolved[] = []
    for (const [index, pending] of batch.entries()) {
      const position = first + index
      const outcome = outcomes[index] as Outcome
      if (outcome.kind === 'unknown') pending.failure = outcome.error
      if (outcome.kind === 'stored') this.#acknowledge(pending, { position, id: pending.commit.id })
      else unresolved.push({ pending, position, outcome, asked })
    }
    if (unresolved.length > 0) this.#slots.keepOpen(this.#resolver.resolve(unresolved))
    onBatch(batch.length)
  }

  #acknowledge(pending: Pending, appended: Appended): void {
    this.#leave(pending)
    this.#parts.positions.see(appended.position)
    pending.resolve(appended)
    this.#parts.onAppended({ ...pending.document, _id: appended.position }, pending.bytes)
  }

  #reject(pending: Pending, error: unknown): void {
    this.#leave(pending)
    pending.reject(error)
  }

  #again(pending: Pending): void {
    if (pending.settled) this.#leave(pending)
    else {
      this.#taken.delete(pending)
      this.#queue.putBack(pending)
    }
  }

  #leave(pending: Pending): void {
    this.#taken.delete(pending)
    this.#queue.leave(pending)
  }
}

function answerLate({ sent, failure, reject }: Pending): void {
  const why = failure === undefined ? '' : whyOf(failure)
  const options = failure === undefined ? {} : { cause: failure }
  if (sent) {
    reject(new OutcomeUnknownError(`MongoDB did not answer in time${why && `: ${why}`}`, options))
    return
  }
  const what = codeOf(failure) === undefined ? 'MongoDB does not answer' : 'MongoDB fails'
  reject(new StoreUnavailableError(`${what}${why && ` (${why})`}: nothing was stored, try again later`, options))
}

/** Whether what was stored is seen by anybody is not known before the log's beginning is. */
function doubted(outcome: Outcome): Outcome {
  return outcome.kind === 'stored' ? { kind: 'unknown', error: new Error('its position is outdated') } : outcome
}

function documentsOf(batch: readonly Pending[]): UnplacedDocument[] {
  return batch.map(({ document }) => document)
}
