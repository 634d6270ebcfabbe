import { setMaxListeners } from 'node:events'
import type { Clock } from '../../lib/clock.ts'
import { OutcomeUnknownError, StoreClosedError, StoreRefusedError } from '../../lib/errors.ts'
import type { Appended, NewCommit } from '../../lib/log/commit.ts'
import { type PreparedCommit, prepare } from '../../lib/log/prepare.ts'
import type { Collections } from './collections.ts'
import { documentOf, placed, type UnplacedDocument } from './documents.ts'
import { failureOf } from './failure.ts'
import type { Latency } from './latency.ts'
import { isPermanent, type Outcome, outcomeOfInsert, outcomeOfQuietPath } from './outcome.ts'
import { Patience, UNSENT_MS } from './patience.ts'
import { newPending, type Pending, Queue } from './pending.ts'
import type { Positions, Ticket } from './positions.ts'
import { assertPredecessors } from './predecessors.ts'
import { QuietPath } from './quiet-path.ts'
import { type Placed, verdicts } from './verdict.ts'

/** The limits of a batch. The driver splits above 48 MB; nothing here comes near. */
const BATCH = { commits: 1_000, bytes: 16 * 1024 * 1024 }

/** The pause before an unknown outcome is looked into again, in milliseconds; after a refusal to tell, the longer one. */
const RESOLVE_AGAIN_MS = { unanswered: 100, refused: 1_000 }

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
  /** Whether the server knows `client.bulkWrite` (8.0 on). */
  readonly quietPath: boolean
  /** Called with each acknowledged position. */
  readonly onAppended: (position: number) => void
}

/**
 * Group commit. Appends queue; while a batch is in flight the next ones gather; when it lands, they go as one batch: one
 * command takes a range of positions, one inserts. An idle process adds no delay.
 *
 * A batch is *sent*, then each of its commits is either acknowledged or *resolved* (see `verdicts`). While some resolve,
 * the next batch goes, without appends that write the same streams: the later of two writes never lands below the
 * earlier. No append gets a new position before its old one is proven dead.
 *
 * When nothing of this process is in flight, the quiet path is tried first: see `QuietPath`.
 */
export class Appender {
  readonly #parts: AppenderParts
  readonly #queue = new Queue()
  readonly #inFlight = new Set<Pending>()
  readonly #patience: Patience
  #sending: Promise<void> | undefined
  #kicked = false
  #entering = 0
  readonly #over = new AbortController()
  readonly #quietPath: QuietPath
  #last: number | undefined
  #closed = false
  #idle: (() => void)[] = []

  constructor(parts: AppenderParts) {
    this.#parts = parts
    setMaxListeners(0, this.#over.signal) // one for each batch that resolves
    this.#quietPath = new QuietPath(parts.collections)
    this.#patience = new Patience(parts.clock)
  }

  async append(commit: NewCommit): Promise<Appended> {
    if (this.#closed) throw new StoreClosedError()
    const prepared = prepare(commit)
    const { document, bytes } = documentOf(prepared, this.#parts.clock.now())
    this.#entering++
    try {
      await assertPredecessors(this.#parts, prepared, UNSENT_MS)
      return await this.#enqueue(prepared, document, bytes)
    } finally {
      this.#entering--
      this.#wakeIdle()
    }
  }

  #enqueue(commit: PreparedCommit, document: UnplacedDocument, bytes: number): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const since = this.#parts.clock.monotonic()
      const pending = newPending({ commit, document, bytes, since }, { resolve, reject }, (settled) =>
        this.#patience.remove(settled),
      )
      this.#patience.add(pending)
      this.#queue.push(pending)
      this.#send()
    })
  }

  /** Waits until every append has been answered. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#entering > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
    this.#over.abort()
    this.#patience.end()
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
    this.#kicked = false
    for (;;) {
      const batch = this.#queue.take(streamsOf(this.#inFlight), BATCH)
      if (batch.length === 0) return
      for (const pending of batch) this.#inFlight.add(pending)
      await this.#sendBatch(batch)
    }
  }

  async #sendBatch(batch: readonly Pending[]): Promise<void> {
    const quiet = await this.#tryQuietPath(batch)
    if (quiet) return
    const ticket = await this.#takeTicket(batch)
    for (const pending of batch) if (pending.settled) this.#inFlight.delete(pending)
    const live = batch.filter((pending) => !pending.settled)
    if (ticket && live.length > 0) await this.#insert(live, ticket)
  }

  /** True: the batch went this way. False: take a ticket. */
  async #tryQuietPath(batch: readonly Pending[]): Promise<boolean> {
    const { positions, quietPath, clock } = this.#parts
    const alone = this.#inFlight.size === batch.length
    if (!quietPath || !alone || !this.#quietPath.isWorthIt || this.#last === undefined) return false
    const last = Math.max(this.#last, positions.seen)
    for (const pending of batch) pending.sent = true
    const started = clock.monotonic()
    const { moved, error } = await this.#quietPath.send(placed(documentsOf(batch), last + 1), last)
    if (moved) for (const pending of batch) pending.sent = false
    else this.#landed(batch, last + 1, started, (index) => outcomeOfQuietPath(error, index))
    return !moved
  }

  /** Undefined: nobody waits any more. */
  async #takeTicket(batch: readonly Pending[]): Promise<Ticket | undefined> {
    try {
      return await this.#parts.positions.ticket(batch.length, () => batch.some(({ settled }) => !settled))
    } catch (error) {
      for (const pending of batch) this.#refuse(pending, error)
      return undefined
    }
  }

  async #insert(batch: readonly Pending[], ticket: Ticket): Promise<void> {
    const { collections, clock } = this.#parts
    for (const pending of batch) pending.sent = true
    const started = clock.monotonic()
    const error = await failureOf(
      collections.events.insertMany(placed(documentsOf(batch), ticket.first), { ordered: false }),
    )
    this.#landed(batch, ticket.first, started, (index) => outcomeOfInsert(error, index))
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
    if (unresolved.length > 0) void this.#resolve(unresolved)
  }

  async #resolve(appends: readonly Unresolved[]): Promise<void> {
    const { collections, positions, clock } = this.#parts
    try {
      const found = await verdicts(collections, clock, appends, this.#over.signal)
      const again: Pending[] = []
      for (const [{ pending, position, outcome }, verdict] of found) {
        positions.see(position)
        this.#inFlight.delete(pending)
        if ('appended' in verdict) this.#acknowledge(pending, verdict.appended)
        else if ('error' in verdict) pending.reject(verdict.error)
        else if (outcome.kind === 'refused') this.#refuse(pending, outcome.error)
        else again.push(pending)
      }
      this.#again(again)
    } catch (error) {
      if (this.#over.signal.aborted) return
      this.#unresolved(appends, error)
    }
    this.#send()
  }

  /** Nobody tells what became of them. Only what the server refused in the first place was surely not stored. */
  #unresolved(appends: readonly Unresolved[], error: unknown): void {
    const refused = isPermanent(error)
    const left: Unresolved[] = []
    for (const append of appends) {
      if (refused && append.outcome.kind === 'refused') this.#refuse(append.pending, error)
      else left.push(append)
    }
    if (left.length === 0) return
    const why = new OutcomeUnknownError('MongoDB refuses to tell', { cause: error })
    if (refused) for (const { pending } of left) pending.reject(why)
    const pauseMs = refused ? RESOLVE_AGAIN_MS.refused : RESOLVE_AGAIN_MS.unanswered
    this.#parts.clock.setTimeout(() => void this.#resolve(left), pauseMs)
  }

  #acknowledge(pending: Pending, appended: Appended): void {
    this.#parts.positions.see(appended.position)
    pending.resolve(appended)
    this.#parts.onAppended(appended.position)
  }

  /** Those whose callers were told OutcomeUnknown are not repeated: their positions are dead, so they were not stored. */
  #again(appends: readonly Pending[]): void {
    const waiting = appends.filter(({ settled }) => !settled)
    for (const pending of waiting) pending.sent = false
    this.#queue.unshift(waiting)
  }

  #refuse(pending: Pending, cause: unknown): void {
    this.#inFlight.delete(pending)
    const why = cause instanceof Error ? cause.message : String(cause)
    pending.reject(
      new StoreRefusedError(
        `MongoDB refuses the commit (${why}): see to the database user's rights and the server's log`,
        { cause },
      ),
    )
  }
}

function streamsOf(inFlight: ReadonlySet<Pending>): Set<string> {
  return new Set([...inFlight].flatMap(({ commit }) => [...commit.stateStreams]))
}

function documentsOf(batch: readonly Pending[]): UnplacedDocument[] {
  return batch.map(({ document }) => document)
}
