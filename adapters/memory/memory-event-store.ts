import { randomBytes } from 'node:crypto'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { StoreUnavailableError } from '../../lib/errors.ts'
import { inTime } from '../../lib/in-time.ts'
import type { AccountKeyTable } from '../../lib/log/account-key-table.ts'
import { type Appended, type Commit, type NewCommit, streamsOf } from '../../lib/log/commit.ts'
import type { ConsumerTable } from '../../lib/log/consumer-table.ts'
import type { EventStore, ReadOptions } from '../../lib/log/event-store.ts'
import type { IndexTable } from '../../lib/log/index-table.ts'
import type { LivenessTable } from '../../lib/log/liveness-table.ts'
import type { LogEntry } from '../../lib/log/log-entry.ts'
import { prepare } from '../../lib/log/prepare.ts'
import type { RetentionTable } from '../../lib/log/retention-table.ts'
import type { WorkTable } from '../../lib/log/work-table.ts'
import { componentLogger, consoleLogger, type Logger } from '../../lib/logger.ts'
import { ephemeralKeys, KeyRing, type Keys } from '../../lib/secrets/key-ring.ts'
import { guardedTelemetry } from '../../lib/telemetry/guarded-telemetry.ts'
import type { Telemetry } from '../../lib/telemetry/telemetry.ts'
import { MemoryAccountKeys } from './account-keys.ts'
import { type Commits, CommitsInMemory, withoutClaims } from './commits.ts'
import { Compaction } from './compaction.ts'
import { MemoryConsumers } from './consumers.ts'
import { MemoryIndex } from './index-table.ts'
import { type Entry, type Journal, noJournal } from './journal.ts'
import { MemoryLiveness } from './liveness.ts'
import { LogState } from './log-state.ts'
import { MemoryRetention } from './retention-table.ts'
import { MemoryWork } from './work.ts'
import type { WriteLock } from './write-lock.ts'
import { WriteQueue } from './write-queue.ts'

/** How to open a store in memory. */
export interface MemoryOptions {
  /** Default: random keys that are lost with the process. */
  readonly keys?: Keys
  readonly clock?: Clock
  /** Persistent storage for changes. Default: none. */
  readonly journal?: Journal
  /** Where commits are kept. Default: in memory, all of them. */
  readonly commits?: Commits
  /** Receives a warning when the journal cannot be written anew. Default: `consoleLogger`. */
  readonly logger?: Logger
}

/** The pause of a subscription before it reads again what could not be read, in milliseconds. */
const READ_AGAIN_MS = 1_000

/** The largest number of commits that a subscription yields at once. */
const SUBSCRIPTION_BATCH = 500

/**
 * An event store for one process that keeps nothing: for tests, and the base of the embedded store.
 *
 * A commit counts for later decisions as soon as it is decided, and can be read once it is durable.
 */
export class MemoryEventStore implements EventStore {
  readonly keys: KeyRing
  #logId = randomBytes(16).toString('base64url')
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #journal: Journal
  readonly #commits: Commits
  #state: LogState
  readonly #retention: MemoryRetention
  readonly #compaction: Compaction
  readonly #writes: WriteQueue
  readonly #turns: WriteLock
  readonly #consumers: MemoryConsumers
  readonly #liveness: MemoryLiveness
  readonly #accountKeys: MemoryAccountKeys
  readonly #work = new Map<string, MemoryWork>()
  readonly #indexes = new Map<string, MemoryIndex>()
  readonly #waitingSubscriptions = new Set<() => void>()

  constructor(options: MemoryOptions = {}) {
    const {
      keys = ephemeralKeys(),
      clock = systemClock,
      journal = noJournal,
      commits = new CommitsInMemory(),
      logger: given = consoleLogger,
    } = options
    const logger = componentLogger(given, 'store')
    this.keys = new KeyRing(keys)
    this.#clock = clock
    this.#logger = logger
    this.#journal = journal
    this.#commits = commits
    this.#state = new LogState(commits)
    this.#writes = new WriteQueue(
      journal,
      clock,
      (durable) => {
        if (durable) this.#state.markDurable()
        this.#wakeSubscriptions()
        if (durable) this.#compaction.consider()
      },
      () => this.#compaction.giveUp(),
    )
    this.#compaction = new Compaction({
      journal,
      commits,
      state: () => this.#state,
      replaceState: (state) => {
        this.#state = state
      },
      between: (work) => this.#writes.between(work),
      floor: () => this.#retention.now.floor,
      tables: () => this.#tables(),
      noticeFailure: () => this.#writes.noticeFailure(),
      logger,
    })
    const origin = clock.now() - clock.monotonic()
    this.#turns = {
      change: this.#writes.change,
      assertOpen: () => this.#writes.assertOpen(),
      steadyNow: () => Math.round(origin + clock.monotonic()),
    }
    this.#consumers = new MemoryConsumers(this.#turns, () => this.#state.durable)
    this.#liveness = new MemoryLiveness(this.#turns)
    this.#accountKeys = new MemoryAccountKeys(this.#turns, () => this.#compaction.renew())
    this.#retention = new MemoryRetention(this.#turns, ({ positions }) => this.#removed(positions))
  }

  measure(telemetry: Telemetry): void {
    const guarded = guardedTelemetry(telemetry, this.#logger)
    this.#writes.onBatch = (commits) => guarded.record('oidc_provider_eventstore.append.batch_size', commits)
  }

  get logId(): string {
    return this.#logId
  }

  /** The log was kept under this name. */
  protected set logId(name: string) {
    this.#logId = name
  }

  /** Rebuilds the state from a journal's entries, whose commits are kept already. Call it before the first use. */
  protected async restore(batches: AsyncIterable<readonly Entry[]>): Promise<void> {
    for await (const batch of batches) for (const entry of batch) this.#apply(entry)
    this.#state.markDurable()
    this.#consumers.freeAll()
    for (const table of this.#work.values()) table.freeAll()
  }

  /**
   * From now on what is not needed any more is left behind from time to time: tables in memory are made anew, and so is
   * the journal.
   *
   * @param first - entries that a new journal begins with
   */
  protected compactFrom(first: readonly Entry[]): void {
    this.#compaction.begin(first, this.#journal.size?.commits ?? 0)
  }

  async append(commit: NewCommit): Promise<Appended> {
    this.#writes.assertOpen()
    const prepared = prepare(commit)
    return this.#writes.add((write) => {
      const decision = this.#state.decide(prepared, this.#clock.now())
      if ('error' in decision) throw decision.error
      this.#state.add(decision.store, prepared.bytes)
      write({ kind: 'commit', commit: decision.store })
      return { position: decision.store.position, id: decision.store.id }
    }, prepared.bytes)
  }

  async latest(stream: string): Promise<Commit | undefined> {
    const [commit] = await this.read(stream, { direction: 'backwards', limit: 1 })
    return commit
  }

  async read(stream: string, options: ReadOptions = {}): Promise<Commit[]> {
    this.#writes.assertOpen()
    return [...(await this.#state.read(stream, options))]
  }

  async readStreams(streams: readonly string[], options: ReadOptions = {}): Promise<Commit[]> {
    this.#writes.assertOpen()
    return [...(await this.#state.readStreams(streams, options))]
  }

  async readAll({ after, limit }: { readonly after: number; readonly limit: number }): Promise<Commit[]> {
    this.#writes.assertOpen()
    return [...(await this.#state.readAll(after, limit))]
  }

  async entries({ after, limit }: { readonly after: number; readonly limit: number }): Promise<LogEntry[]> {
    this.#writes.assertOpen()
    const stored = await this.#commits.stored(this.#state.positionsBehind(Math.max(0, after), limit))
    return stored.map((one) => ({
      kind: 'commit',
      position: one.position,
      commit: withoutClaims(one),
      streams: streamsOf(one.events),
      claims: one.claims,
    }))
  }

  async end(): Promise<number> {
    this.#writes.assertOpen()
    return this.#state.durable
  }

  async *subscribe({
    after,
    signal,
  }: {
    readonly after: number
    readonly signal?: AbortSignal
  }): AsyncGenerator<readonly Commit[]> {
    this.#writes.assertOpen()
    let position = Math.max(0, after)
    while (!this.#writes.closing && !signal?.aborted) {
      if (this.#state.durable > position) {
        const commits = await this.#readOn(position, signal)
        position = commits.at(-1)?.position ?? position
        if (commits.length > 0 && !this.#writes.closing && !signal?.aborted) yield commits
      } else if (this.#writes.failure) throw this.#writes.failure
      else await this.#nextBatch(signal)
    }
  }

  /** Nothing where they cannot be read now: whoever follows the log goes on trying. */
  async #readOn(position: number, signal: AbortSignal | undefined): Promise<readonly Commit[]> {
    try {
      return await this.#state.readAll(position, SUBSCRIPTION_BATCH)
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error
      await this.#clock.sleep(READ_AGAIN_MS, signal)
      return []
    }
  }

  get consumers(): ConsumerTable {
    this.#writes.assertOpen()
    return this.#consumers
  }

  get liveness(): LivenessTable {
    this.#writes.assertOpen()
    return this.#liveness
  }

  work(table: string): WorkTable {
    this.#writes.assertOpen()
    return this.#table(table)
  }

  index(name: string): IndexTable {
    this.#writes.assertOpen()
    return this.#index(name)
  }

  get accountKeys(): AccountKeyTable {
    this.#writes.assertOpen()
    return this.#accountKeys
  }

  get retention(): RetentionTable {
    this.#writes.assertOpen()
    return this.#retention
  }

  /** Waits for pending changes, then closes. Idempotent. */
  async close(): Promise<void> {
    const compaction = inTime(this.#compaction.stop(), this.#clock, this.#journal.maxWriteMs ?? 0)
    const [closed, stopped] = await Promise.allSettled([this.#writes.close(), compaction])
    if (closed.status === 'rejected') throw closed.reason
    if (stopped.status === 'fulfilled' && !stopped.value)
      throw new StoreUnavailableError('the disk hangs while the journal is written anew: it may still write')
  }

  /** Resolves when the tables and the journal hold no more of what was removed than they may. */
  compacted(): Promise<void> {
    return this.#compaction.idle()
  }

  #removed(positions: readonly number[]): void {
    this.#state.remove(positions)
    this.#commits.forget(positions)
    this.#compaction.removed(positions)
  }

  /** What a journal holds beside commits, as it is now. */
  *#tables(): Generator<Entry> {
    const { state } = this.#retention.now
    if (state) yield { kind: 'retention', state }
    yield* this.#consumers.entries()
    yield* this.#accountKeys.entries()
    for (const table of this.#work.values()) yield* table.entries()
    for (const index of this.#indexes.values()) yield* index.entries()
  }

  #apply(entry: Entry): void {
    if (entry.kind === 'commit') this.#state.index(entry.commit)
    else if (entry.kind === 'consumer') this.#consumers.apply(entry.record)
    else if (entry.kind === 'consumer_removed') this.#consumers.applyRemoved(entry.name)
    else if (entry.kind === 'work') this.#table(entry.table).apply(entry.work)
    else if (entry.kind === 'work_removed') this.#table(entry.table).remove(entry.id)
    else if (entry.kind === 'indexed') this.#index(entry.index).apply(entry.entry)
    else if (entry.kind === 'removed') this.#retention.applyRemoved(entry.removed)
    else if (entry.kind === 'retention') this.#retention.applyState(entry.state)
    else if (entry.kind === 'account_key') this.#accountKeys.apply(entry.record)
    else if (entry.kind === 'account_key_removed') this.#accountKeys.drop(entry.id)
    else if (entry.kind === 'unindexed') this.#index(entry.index).drop(entry.id)
  }

  #index(name: string): MemoryIndex {
    const index = this.#indexes.get(name) ?? new MemoryIndex(name, this.#turns)
    this.#indexes.set(name, index)
    return index
  }

  #table(name: string): MemoryWork {
    let table = this.#work.get(name)
    if (!table) {
      table = new MemoryWork(name, this.#turns)
      this.#work.set(name, table)
    }
    return table
  }

  #nextBatch(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waitingSubscriptions.delete(done)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      this.#waitingSubscriptions.add(done)
      signal?.addEventListener('abort', done, { once: true })
    })
  }

  #wakeSubscriptions(): void {
    for (const wake of [...this.#waitingSubscriptions]) wake()
  }
}
