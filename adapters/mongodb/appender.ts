import { setMaxListeners } from 'node:events'
import type { Clock } from '../../lib/clock.ts'
import { OutcomeUnknownError, StoreClosedError, StoreRefusedError, StoreUnavailableError } from '../../lib/errors.ts'
import type { Appended, NewCommit } from '../../lib/log/commit.ts'
import { type PreparedCommit, prepare } from '../../lib/log/prepare.ts'
import { APPEND_TIMEOUT_MS, AppendTimeouts } from './append-timeouts.ts'
import type { Collections } from './collections.ts'
import { documentOf, placed, type UnplacedDocument } from './documents.ts'
import { FastPath } from './fast-path.ts'
import { assertNoForeignUniqueIndex } from './foreign-indexes.ts'
import type { Latency } from './latency.ts'
import { answerOf, isPermanent, type Outcome, outcomeOfFastPath, outcomeOfInsert } from './outcome.ts'
import { type Limits, newPending, type Pending, Queue } from './pending.ts'
import type { Allocation, Positions } from './positions.ts'
import { assertPredecessors } from './predecessors.ts'
import { type Placed, resolveOutcomes } from './resolve-outcomes.ts'

/** The limits of a batch: it goes as one document of at most 16 MB. */
const BATCH: Limits = { commits: 1_000, bytes: 12 * 1024 * 1024 }

/** The limits of the queue. An append beyond them is rejected at once: the database is away, or too slow. */
const QUEUE: Limits = { commits: 20_000, bytes: 128 * 1024 * 1024 }

/** So many batches at most are sent and not settled: in flight, or of unknown outcome. */
const OPEN_BATCHES = 8

/** A batch that has not been answered for so long, in milliseconds, or four times as long as inserts take, is overtaken. */
const OVERTAKE_MS = 250

/** The pause before an unknown outcome is looked into again, in milliseconds; doubled each time, up to the second. */
const RESOLVE_AGAIN_MS = { first: 100, most: 5_000 }

/** Pauses before a commit is sent again that a unique index refused although no claim of it is held, in milliseconds. */
const RETRY_MS: readonly number[] = [0, 5, 20, 50, 100, 200, 500, 1_000]

/** After so many such refusals, a unique index that is not the log's is looked for. */
const SUSPICIOUS_REFUSALS = 5

/** An append that is not acknowledged yet. */
interface Unresolved extends Placed {
  readonly outcome: Outcome
}

/** What the appender works with. */
export interface AppenderParts {
  readonly collections: Collections
  readonly positions: Positions
  readonly clock: Clock
  readonly latency: Latency
  /** Whether the server knows `bulkWrite` (8.0 on). */
  readonly fastPath: boolean
  /** Called with each acknowledged position. */
  readonly onAppended: (position: number) => void
}

/**
 * Group commit. Appends queue; while a batch is in flight the next ones gather; when it lands, they go as one batch: one
 * command allocates a range of positions, one inserts. An idle process adds no delay.
 *
 * A batch is *sent*, then each of its commits is either acknowledged or *resolved* (see `resolveOutcomes`). While some
 * resolve, the next batch goes, without appends that write the same streams: the later of two writes never lands below
 * the earlier. No append gets a new position before its old one is proven dead.
 *
 * A command that is not answered within its time limit has an unknown outcome: its connection is given up, and the
 * outcome is resolved over another one. The batches behind do not wait for that long: one that is slow is overtaken.
 *
 * When nothing of this process is in flight, the fast path is tried first: see `FastPath`.
 */
export class Appender {
  readonly #parts: AppenderParts
  readonly #queue = new Queue()
  readonly #inFlight = new Set<Pending>()
  readonly #timeouts: AppendTimeouts
  #sending: Promise<void> | undefined
  #kicked = false
  #entering = 0
  /** Batches that are in flight, or whose outcome is being resolved. */
  #openBatches = 0
  readonly #over = new AbortController()
  readonly #fastPath: FastPath
  #last: number | undefined
  #closed = false
  #idle: (() => void)[] = []

  constructor(parts: AppenderParts) {
    this.#parts = parts
    setMaxListeners(0, this.#over.signal) // one for each batch that resolves
    this.#fastPath = new FastPath(parts.collections)
    this.#timeouts = new AppendTimeouts(parts.clock)
  }

  async append(commit: NewCommit): Promise<Appended> {
    if (this.#closed) throw new StoreClosedError()
    const since = this.#parts.clock.monotonic()
    const prepared = prepare(commit)
    const document = documentOf(prepared, this.#parts.clock.now())
    const { bytes } = prepared
    if (this.#queue.isFull(QUEUE)) {
      throw new StoreUnavailableError('too many appends wait for MongoDB: nothing was stored, try again later')
    }
    this.#entering++
    try {
      await assertPredecessors(this.#parts, prepared, APPEND_TIMEOUT_MS)
      return await this.#enqueue({ commit: prepared, document, bytes, since })
    } finally {
      this.#entering--
      this.#wakeIdle()
    }
  }

  #enqueue(what: {
    readonly commit: PreparedCommit
    readonly document: UnplacedDocument
    readonly bytes: number
    readonly since: number
  }): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const pending = newPending(what, { resolve, reject }, (settled) => this.#timeouts.remove(settled))
      this.#timeouts.add(pending)
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
    const unknown = [...this.#inFlight].filter(({ sent }) => sent).length
    this.#over.abort()
    this.#timeouts.stop()
    return unknown
  }

  #wakeIdle(): void {
    if (this.#entering === 0) for (const idle of this.#idle.splice(0)) idle()
  }

  #send(): void {
    if (this.#sending !== undefined) {
      this.#kicked = true
      return
    }
    this.#sending = this.#sendAll().finally(() => {
      this.#sending = undefined
      if (this.#kicked) this.#send()
    })
  }

  async #sendAll(): Promise<void> {
    await undefined // lets the rest of this tick join the batch
    for (;;) {
      this.#kicked = false
      if (this.#openBatches >= OPEN_BATCHES) return // whichever is settled first sends on
      const batch = this.#queue.take(streamsOf(this.#inFlight), BATCH)
      if (batch.length === 0) return
      for (const pending of batch) this.#inFlight.add(pending)
      await this.#landedOrOvertaken(this.#sendBatch(batch))
    }
  }

  /** Waits for the batch to land, but not much longer than inserts take: its connection may be silent. */
  async #landedOrOvertaken(sending: Promise<void>): Promise<void> {
    const { clock, latency } = this.#parts
    this.#openBatches++
    const enough = new AbortController()
    const landed = sending.finally(() => {
      enough.abort()
      this.#settleBatch()
    })
    await Promise.race([landed, clock.sleep(Math.max(OVERTAKE_MS, 4 * latency.p99), enough.signal)])
  }

  #settleBatch(): void {
    this.#openBatches--
    this.#send()
  }

  async #sendBatch(batch: readonly Pending[]): Promise<void> {
    if (await this.#tryFastPath(batch)) return
    const allocation = await this.#allocate(batch)
    for (const pending of batch) if (pending.settled) this.#inFlight.delete(pending)
    const live = batch.filter((pending) => !pending.settled)
    if (allocation && live.length > 0) await this.#insert(live, allocation)
  }

  /** True: the batch went this way. False: allocate positions. */
  async #tryFastPath(batch: readonly Pending[]): Promise<boolean> {
    const { positions, fastPath, clock } = this.#parts
    const isAlone = this.#inFlight.size === batch.length
    if (!fastPath || !isAlone || !this.#fastPath.isWorthIt || this.#last === undefined) return false
    const last = Math.max(this.#last, positions.seen)
    for (const pending of batch) pending.sent = true
    const started = clock.monotonic()
    const { moved, answer } = await this.#fastPath.send(placed(documentsOf(batch), last + 1), last)
    if (moved) for (const pending of batch) pending.sent = false
    else this.#landed(batch, last + 1, started, (index) => outcomeOfFastPath(answer, index, batch.length))
    return !moved
  }

  /** Undefined when no caller waits any more. */
  async #allocate(batch: readonly Pending[]): Promise<Allocation | undefined> {
    try {
      return await this.#parts.positions.allocate(batch.length, () => batch.some(({ settled }) => !settled))
    } catch (error) {
      for (const pending of batch) this.#refuse(pending, error)
      return undefined
    }
  }

  async #insert(batch: readonly Pending[], { first }: Allocation): Promise<void> {
    const { collections, clock } = this.#parts
    for (const pending of batch) pending.sent = true
    const started = clock.monotonic()
    const documents = placed(documentsOf(batch), first)
    const answer = await answerOf(collections.attempt((signal) => collections.insert('events', documents, signal)))
    this.#landed(batch, first, started, (index) => outcomeOfInsert(answer, index, batch.length))
  }

  #landed(batch: readonly Pending[], first: number, started: number, outcomeOf: (index: number) => Outcome): void {
    const { clock, latency } = this.#parts
    const outcomes = batch.map((_, index) => outcomeOf(index))
    // How long nothing was heard says nothing of how long an insert takes.
    if (outcomes.every(({ kind }) => kind !== 'unknown')) latency.record(clock.monotonic() - started)
    this.#last = Math.max(this.#last ?? 0, first + batch.length - 1)
    const unresolved: Unresolved[] = []
    for (const [index, pending] of batch.entries()) {
      const position = first + index
      const outcome = outcomes[index] as Outcome
      if (outcome.kind === 'stored') {
        this.#inFlight.delete(pending)
        this.#acknowledge(pending, { position, id: pending.commit.id })
      } else unresolved.push({ pending, position, outcome })
    }
    if (unresolved.length === 0) return
    this.#openBatches++
    void this.#resolve(unresolved).finally(() => this.#settleBatch())
  }

  /** Goes on until it is known what became of all of them, or the store closes. */
  async #resolve(appends: readonly Unresolved[]): Promise<void> {
    const { collections, clock } = this.#parts
    const { signal } = this.#over
    let left = appends
    let pauseMs = RESOLVE_AGAIN_MS.first
    while (!signal.aborted) {
      try {
        const found = await resolveOutcomes(collections, clock, left, signal)
        await this.#conclude(found)
        return
      } catch (error) {
        if (signal.aborted) return
        left = this.#keepUnresolved(left, error)
        if (left.length === 0) return
      }
      await clock.sleep(pauseMs, signal)
      pauseMs = Math.min(RESOLVE_AGAIN_MS.most, 2 * pauseMs)
    }
  }

  async #conclude(found: Awaited<ReturnType<typeof resolveOutcomes<Unresolved>>>): Promise<void> {
    const retried: Pending[] = []
    for (const [{ pending, position, outcome }, resolution] of found) {
      this.#parts.positions.see(position)
      if ('retry' in resolution && outcome.kind !== 'refused') {
        pending.sent = false
        if (outcome.kind === 'duplicate') pending.refusals++
        retried.push(pending)
        continue
      }
      this.#inFlight.delete(pending)
      if ('appended' in resolution) this.#acknowledge(pending, resolution.appended)
      else if ('error' in resolution) pending.reject(resolution.error)
      else if (outcome.kind === 'refused') this.#refuse(pending, outcome.error)
    }
    await this.#retry(retried)
  }

  /**
   * Sends them again, at new positions, after a pause that grows where a unique index refused them and none of their
   * claims is held. Until then their streams stay busy. Those whose callers were told `OUTCOME_UNKNOWN` are not repeated:
   * their positions are dead, so they were not stored.
   */
  async #retry(appends: readonly Pending[]): Promise<void> {
    const { collections, clock } = this.#parts
    const refusals = Math.max(0, ...appends.map((pending) => pending.refusals))
    try {
      if (refusals >= SUSPICIOUS_REFUSALS) await assertNoForeignUniqueIndex(collections)
      const pauseMs = RETRY_MS[Math.min(Math.max(0, refusals - 1), RETRY_MS.length - 1)] as number
      if (pauseMs > 0) await clock.sleep(pauseMs, this.#over.signal)
    } catch (error) {
      for (const pending of appends) if (pending.refusals > 0) pending.reject(error)
    }
    for (const pending of appends) this.#inFlight.delete(pending)
    this.#queue.unshift(appends.filter(({ settled }) => !settled))
  }

  /**
   * The server does not tell what became of them. Only what it refused in the first place was certainly not stored: for
   * want of rights, by a rule, or by a unique index that is not the log's.
   */
  #keepUnresolved(appends: readonly Unresolved[], error: unknown): readonly Unresolved[] {
    if (!isPermanent(error)) return appends
    const left: Unresolved[] = []
    for (const append of appends) {
      const { kind } = append.outcome
      const wasRefused = kind === 'refused' || (kind === 'duplicate' && error instanceof StoreRefusedError)
      if (wasRefused) this.#refuse(append.pending, error)
      else left.push(append)
    }
    const why = new OutcomeUnknownError('MongoDB refuses to tell', { cause: error })
    for (const { pending } of left) pending.reject(why)
    return left
  }

  #acknowledge(pending: Pending, appended: Appended): void {
    this.#parts.positions.see(appended.position)
    pending.resolve(appended)
    this.#parts.onAppended(appended.position)
  }

  #refuse(pending: Pending, cause: unknown): void {
    this.#inFlight.delete(pending)
    pending.reject(cause instanceof StoreRefusedError ? cause : refusal(cause))
  }
}

function refusal(cause: unknown): StoreRefusedError {
  const why = cause instanceof Error ? cause.message : String(cause)
  const what = `MongoDB refuses the commit (${why}): check the database user's rights and the server's log`
  return new StoreRefusedError(what, { cause })
}

function streamsOf(inFlight: ReadonlySet<Pending>): Set<string> {
  return new Set([...inFlight].flatMap(({ commit }) => [...commit.stateStreams]))
}

function documentsOf(batch: readonly Pending[]): UnplacedDocument[] {
  return batch.map(({ document }) => document)
}
