import { type AnyClientBulkWriteModel, type Document, Long } from 'mongodb'
import type { Clock, Timer } from '../../lib/clock.ts'
import {
  ConcurrencyError,
  OutcomeUnknownError,
  StoreClosedError,
  StoreRefusedError,
  StoreUnavailableError,
} from '../../lib/errors.ts'
import { versionClaim } from '../../lib/log/claims.ts'
import type { Appended, NewCommit } from '../../lib/log/commit.ts'
import { firstVersions, type PreparedCommit, prepare } from '../../lib/log/prepare.ts'
import type { Collections } from './collections.ts'
import { documentOf, type EventsDocument, type UnplacedDocument } from './documents.ts'
import type { Latency } from './latency.ts'
import { counterMoved, isPermanent, type Outcome, outcomeOfInsert, outcomeOfQuietPath } from './outcome.ts'
import { type Pending, Queue } from './pending.ts'
import type { Positions, Ticket } from './positions.ts'
import { verdict } from './verdict.ts'

/** The limits of a batch. The driver splits above 48 MB; nothing here comes near. */
const BATCH = { commits: 1_000, bytes: 16 * 1024 * 1024 }

/** A ticket older than this is dropped unsent, in milliseconds: retention counts on it. */
const TICKET_MS = 10_000

/** An append that was never sent fails after this long, in milliseconds: the database is not there. */
const UNSENT_MS = 10_000

/** An append of unknown outcome is answered after this long, in milliseconds; resolving goes on. */
const UNKNOWN_MS = 60_000

/** The pause before an unknown outcome is looked into again, in milliseconds. */
const RESOLVE_AGAIN_MS = 100

/** How often it is looked who has waited too long, in milliseconds. */
const SWEEP_MS = 1_000

/** Above this share of "the counter moved under me" the quiet path costs more than it saves. */
const QUIET_LIMIT = 0.45

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
 * A batch is *sent*, then each of its commits is either acknowledged or *resolved* (see `verdict`). While some resolve,
 * the next batch goes, without appends that write the same streams: the later of two writes never lands below the
 * earlier. No append gets a new position before its old one is proven dead.
 *
 * The quiet path, when nothing of this process is in flight: one ordered command moves the counter from the position
 * this process believes to be the last and inserts right behind. If the counter has moved, the command stops there, and
 * a ticket is taken instead. A moving average of how often that happens decides whether to try.
 */
export class Appender {
  readonly #parts: AppenderParts
  readonly #queue = new Queue()
  readonly #inFlight = new Set<Pending>()
  readonly #unanswered = new Set<Pending>()
  #sending: Promise<void> | undefined
  #kicked = false
  #entering = 0
  #sweeping: Timer | undefined
  readonly #over = new AbortController()
  #moved = 0
  #last: number | undefined
  #closed = false
  #idle: (() => void)[] = []

  constructor(parts: AppenderParts) {
    this.#parts = parts
  }

  async append(commit: NewCommit): Promise<Appended> {
    if (this.#closed) throw new StoreClosedError()
    const prepared = prepare(commit)
    const { document, bytes } = documentOf(prepared, this.#parts.clock.now())
    this.#entering++
    try {
      await this.#assertPredecessors(prepared)
      return await this.#enqueue(prepared, document, bytes)
    } finally {
      this.#entering--
      this.#wakeIdle()
    }
  }

  #enqueue(commit: PreparedCommit, document: UnplacedDocument, bytes: number): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const pending: Pending = {
        commit,
        document,
        bytes,
        since: this.#parts.clock.monotonic(),
        sent: false,
        settled: false,
        resolve: (appended) => this.#settle(pending, () => resolve(appended)),
        reject: (error) => this.#settle(pending, () => reject(error)),
      }
      this.#answerInTime(pending)
      this.#queue.push(pending)
      this.#send()
    })
  }

  /** Waits until every append has been answered. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#entering > 0) await new Promise<void>((resolve) => this.#idle.push(resolve))
    this.#over.abort()
    this.#sweeping?.cancel()
  }

  /** A version needs its predecessor: what is dense stays dense. */
  async #assertPredecessors(prepared: PreparedCommit): Promise<void> {
    for (const [stream, version] of firstVersions(prepared.events)) {
      if (version === 1) continue
      const predecessor = { k: versionClaim(stream, version - 1) }
      const found = await this.#parts.collections.events
        .findOne(predecessor, { projection: { _id: 1 } })
        .catch((cause) => {
          throw new StoreUnavailableError('MongoDB does not answer: nothing was stored', { cause })
        })
      if (!found) throw new ConcurrencyError(stream)
    }
  }

  #answerInTime(pending: Pending): void {
    this.#unanswered.add(pending)
    this.#sweeping ??= this.#parts.clock.setTimeout(() => {
      this.#sweeping = undefined
      this.#sweep()
    }, SWEEP_MS)
  }

  /** Answers those that have waited too long: first come first, so the rest are younger. */
  #sweep(): void {
    const now = this.#parts.clock.monotonic()
    for (const pending of [...this.#unanswered]) {
      const waited = now - pending.since
      if (waited < UNSENT_MS) break
      if (!pending.sent)
        pending.reject(new StoreUnavailableError('MongoDB does not answer: nothing was stored, try again later'))
      else if (waited >= UNKNOWN_MS) pending.reject(new OutcomeUnknownError('MongoDB did not answer in time'))
    }
    const [first] = this.#unanswered
    if (first) this.#answerInTime(first)
  }

  #settle(pending: Pending, answer: () => void): void {
    if (pending.settled) return
    pending.settled = true
    this.#unanswered.delete(pending)
    answer()
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
      const batch = this.#queue.take(this.#busyStreams(), BATCH)
      if (batch.length === 0) return
      for (const pending of batch) this.#inFlight.add(pending)
      await this.#sendBatch(batch)
    }
  }

  #busyStreams(): Set<string> {
    return new Set([...this.#inFlight].flatMap(({ commit }) => [...commit.stateStreams]))
  }

  async #sendBatch(batch: readonly Pending[]): Promise<void> {
    const quiet = await this.#tryQuietPath(batch)
    if (quiet) return
    const ticket = await this.#takeTicket(batch)
    if (!ticket) return
    const live = batch.filter((pending) => !pending.settled)
    for (const pending of batch) if (pending.settled) this.#inFlight.delete(pending)
    await this.#insert(live, ticket)
  }

  /** True: the batch went this way. False: take a ticket. */
  async #tryQuietPath(batch: readonly Pending[]): Promise<boolean> {
    const { collections, positions, quietPath, clock } = this.#parts
    const alone = this.#inFlight.size === batch.length
    if (!quietPath || !alone || this.#moved >= QUIET_LIMIT || this.#last === undefined) return false
    const last = Math.max(this.#last, positions.seen)
    const documents: Document[] = placed(batch, last + 1)
    const counter: Document = { _id: 'events', n: Long.fromNumber(last) }
    const statements: AnyClientBulkWriteModel<Document>[] = [
      {
        name: 'updateOne',
        namespace: collections.namespace('counters'),
        filter: counter,
        update: { $set: { n: Long.fromNumber(last + batch.length) } },
        upsert: true,
      },
      ...documents.map((document) => ({
        name: 'insertOne' as const,
        namespace: collections.namespace('events'),
        document,
      })),
    ]
    for (const pending of batch) pending.sent = true
    const started = clock.monotonic()
    const error = await failureOf(
      collections.client.bulkWrite(statements, { ordered: true, writeConcern: { w: 'majority', journal: true } }),
    )
    const moved = counterMoved(error)
    this.#moved += ((moved ? 1 : 0) - this.#moved) / 8
    if (moved) {
      for (const pending of batch) pending.sent = false
      return false
    }
    this.#landed(batch, last + 1, started, (index) => outcomeOfQuietPath(error, index))
    return true
  }

  /** A ticket for the batch, taken again until it is good. Undefined: nobody waits any more. */
  async #takeTicket(batch: readonly Pending[]): Promise<Ticket | undefined> {
    const { positions, clock } = this.#parts
    for (let tries = 0; ; tries++) {
      if (batch.every(({ settled }) => settled)) {
        for (const pending of batch) this.#inFlight.delete(pending)
        return undefined
      }
      const asked = clock.monotonic()
      try {
        const ticket = await positions.take(batch.length)
        if (clock.monotonic() - asked <= TICKET_MS && ticket.first > positions.seen) return ticket
      } catch (error) {
        if (isPermanent(error)) {
          for (const pending of batch) this.#refuse(pending, error)
          return undefined
        }
        await clock.sleep(Math.min(1_000, 10 * 2 ** tries))
      }
    }
  }

  async #insert(batch: readonly Pending[], ticket: Ticket): Promise<void> {
    if (batch.length === 0) return
    const { collections, clock } = this.#parts
    for (const pending of batch) pending.sent = true
    const started = clock.monotonic()
    const error = await failureOf(collections.events.insertMany(placed(batch, ticket.first), { ordered: false }))
    this.#landed(batch, ticket.first, started, (index) => outcomeOfInsert(error, index))
  }

  #landed(batch: readonly Pending[], first: number, started: number, outcomeOf: (index: number) => Outcome): void {
    const { clock, latency } = this.#parts
    latency.record(clock.monotonic() - started)
    this.#last = Math.max(this.#last ?? 0, first + batch.length - 1)
    batch.forEach((pending, index) => {
      const position = first + index
      const outcome = outcomeOf(index)
      if (outcome.kind === 'stored') {
        this.#inFlight.delete(pending)
        this.#acknowledge(pending, { position, id: pending.commit.id })
      } else void this.#resolve(pending, position, outcome)
    })
  }

  async #resolve(pending: Pending, position: number, outcome: Outcome): Promise<void> {
    const { collections, clock } = this.#parts
    try {
      const found = await verdict(collections, clock, pending, position, this.#over.signal)
      this.#inFlight.delete(pending)
      if ('appended' in found) this.#acknowledge(pending, found.appended)
      else if ('error' in found) pending.reject(found.error)
      else if (outcome.kind === 'refused') this.#refuse(pending, outcome.error)
      else this.#again(pending)
    } catch (error) {
      if (this.#over.signal.aborted) return
      if (isPermanent(error)) this.#refuse(pending, error)
      else clock.setTimeout(() => void this.#resolve(pending, position, outcome), RESOLVE_AGAIN_MS)
    }
    this.#send()
  }

  #acknowledge(pending: Pending, appended: Appended): void {
    this.#parts.positions.see(appended.position)
    pending.resolve(appended)
    this.#parts.onAppended(appended.position)
  }

  #again(pending: Pending): void {
    if (pending.settled) return // its caller was told OutcomeUnknown; the old position is dead, so it was not stored
    pending.sent = false
    this.#queue.unshift(pending)
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

function placed(batch: readonly Pending[], first: number): EventsDocument[] {
  return batch.map(({ document }, index) => ({ _id: Long.fromNumber(first + index), ...document }))
}

/** What a command threw; undefined when it returned. */
async function failureOf(command: Promise<unknown>): Promise<unknown> {
  try {
    await command
    return undefined
  } catch (error) {
    return error ?? new Error('unknown failure')
  }
}
