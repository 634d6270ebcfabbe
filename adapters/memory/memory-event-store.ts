import { type Clock, systemClock } from '../../lib/clock.ts'
import { OutcomeUnknownError, StoreClosedError, StoreRefusedError } from '../../lib/errors.ts'
import type { Appended, Commit, NewCommit } from '../../lib/log/commit.ts'
import type { ConsumerTable } from '../../lib/log/consumer-table.ts'
import type { EventStore, ReadOptions } from '../../lib/log/event-store.ts'
import { prepare } from '../../lib/log/prepare.ts'
import type { WorkTable } from '../../lib/log/work-table.ts'
import { ephemeralKeys, KeyRing, type Keys } from '../../lib/secrets/key-ring.ts'
import { MemoryConsumers } from './consumers.ts'
import { type Entry, forgetful, type Journal } from './journal.ts'
import { LogState } from './log-state.ts'
import type { Change, Turns } from './turns.ts'
import { MemoryWork } from './work.ts'

/** How to open a store in memory. */
export interface MemoryOptions {
  /** Default: keys that end with the process, as its contents do. */
  readonly keys?: Keys
  readonly clock?: Clock
  /** Where changes are kept. Default: nowhere. */
  readonly journal?: Journal
}

interface Turn {
  run(write: (entry: Entry) => void): void
  settle(failure?: Error): void
}

/** At most so many commits are handed to a subscriber at a time. */
const BATCH = 500

/**
 * The whole contract in one process, and nothing kept: for tests, and the heart of the embedded store.
 *
 * Changes queue up. While a batch of them is being made durable the next ones gather; when it is, they are decided, in
 * order, against everything decided before, and go as one batch. What is not durable yet can be decided upon but not
 * read. A journal that failed once has an unknown end: from then on everything is refused.
 */
export class MemoryEventStore implements EventStore {
  readonly keys: KeyRing
  readonly #clock: Clock
  readonly #journal: Journal
  readonly #state = new LogState()
  readonly #turns: Turns
  readonly #consumers: MemoryConsumers
  readonly #work = new Map<string, MemoryWork>()
  readonly #queue: Turn[] = []
  readonly #waiting = new Set<() => void>()
  #running: Promise<void> | undefined
  #decided = 0
  #failure: StoreRefusedError | undefined
  #closing: Promise<void> | undefined

  constructor({ keys = ephemeralKeys(), clock = systemClock, journal = forgetful }: MemoryOptions = {}) {
    this.keys = new KeyRing(keys)
    this.#clock = clock
    this.#journal = journal
    const origin = clock.now() - clock.monotonic()
    this.#turns = {
      change: this.#change,
      assertOpen: () => this.#assertOpen(),
      steadyNow: () => Math.round(origin + clock.monotonic()),
    }
    this.#consumers = new MemoryConsumers(this.#turns, () => this.#state.durable)
  }

  /** Rebuilds the state from what a journal kept. Only before first use. */
  protected async restore(batches: AsyncIterable<readonly Entry[]>): Promise<void> {
    for await (const batch of batches) for (const entry of batch) this.#apply(entry)
    this.#state.settle(this.#decided)
    this.#consumers.freeAll()
    for (const table of this.#work.values()) table.freeAll()
  }

  async append(commit: NewCommit): Promise<Appended> {
    this.#assertOpen()
    const prepared = prepare(commit)
    return this.#change((write) => {
      const decision = this.#state.decide(prepared, this.#clock.now())
      if ('error' in decision) throw decision.error
      if ('again' in decision) return decision.again
      this.#state.apply(decision.store)
      this.#decided = decision.store.position
      write({ kind: 'commit', commit: decision.store })
      return { position: decision.store.position, id: decision.store.id }
    })
  }

  async latest(stream: string): Promise<Commit | undefined> {
    const [commit] = await this.read(stream, { direction: 'backwards', limit: 1 })
    return commit
  }

  async read(stream: string, options: ReadOptions = {}): Promise<Commit[]> {
    this.#assertOpen()
    return this.#state.read(stream, options)
  }

  async readStreams(streams: readonly string[]): Promise<Commit[]> {
    this.#assertOpen()
    return this.#state.readStreams(streams)
  }

  async readAll({ after, limit }: { readonly after: number; readonly limit: number }): Promise<Commit[]> {
    this.#assertOpen()
    return this.#state.readAll(after, limit)
  }

  async end(): Promise<number> {
    this.#assertOpen()
    return this.#state.durable
  }

  async *subscribe({
    after,
    signal,
  }: {
    readonly after: number
    readonly signal?: AbortSignal
  }): AsyncGenerator<readonly Commit[]> {
    this.#assertOpen()
    let position = after
    while (this.#closing === undefined && !signal?.aborted) {
      const commits = this.#state.readAll(position, BATCH)
      const last = commits.at(-1)
      if (last) {
        position = last.position
        yield commits
      } else if (this.#failure) throw this.#failure
      else await this.#appended(signal)
    }
  }

  get consumers(): ConsumerTable {
    this.#assertOpen()
    return this.#consumers
  }

  work(table: string): WorkTable {
    this.#assertOpen()
    return this.#table(table)
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish()
    return this.#closing
  }

  async #finish(): Promise<void> {
    await this.#running
    this.#wake()
    await this.#journal.close()
  }

  #apply(entry: Entry): void {
    if (entry.kind === 'commit') {
      this.#state.apply(entry.commit)
      this.#decided = entry.commit.position
    } else if (entry.kind === 'consumer') this.#consumers.apply(entry.record)
    else if (entry.kind === 'work') this.#table(entry.table).apply(entry.work)
    else if (entry.kind === 'work_removed') this.#table(entry.table).remove(entry.id)
  }

  #table(name: string): MemoryWork {
    let table = this.#work.get(name)
    if (!table) {
      table = new MemoryWork(name, this.#turns)
      this.#work.set(name, table)
    }
    return table
  }

  readonly #change: Change = (change) => {
    if (this.#closing !== undefined) return Promise.reject(new StoreClosedError())
    return new Promise((resolve, reject) => {
      let answer: () => void
      this.#queue.push({
        run: (write) => {
          try {
            const result = change(write)
            answer = () => resolve(result)
          } catch (error) {
            answer = () => reject(error)
          }
        },
        settle: (failure) => (failure ? reject(failure) : answer()),
      })
      this.#running ??= this.#drain()
    })
  }

  async #drain(): Promise<void> {
    await undefined // lets the rest of this tick join the first batch
    while (this.#queue.length > 0) {
      const batch = this.#queue.splice(0)
      const failure = this.#failure ?? (await this.#flush(batch))
      for (const turn of batch) turn.settle(failure)
      this.#wake()
    }
    this.#running = undefined // here, not in a `then`: whoever was answered may queue the next change before that runs
  }

  /** What to tell those whose changes may or may not be in the journal. */
  async #flush(batch: readonly Turn[]): Promise<OutcomeUnknownError | undefined> {
    const entries: Entry[] = []
    for (const turn of batch) turn.run((entry) => entries.push(entry))
    try {
      if (entries.length > 0) await this.#journal.write(entries)
      this.#state.settle(this.#decided)
      return undefined
    } catch (cause) {
      const why = `the journal could not be written: ${cause instanceof Error ? cause.message : cause}`
      this.#failure = new StoreRefusedError(
        `${why}. Nothing more is accepted: see to the disk, then open the store again`,
        { cause },
      )
      return new OutcomeUnknownError(why, { cause })
    }
  }

  #appended(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      this.#waiting.add(done)
      signal?.addEventListener('abort', done, { once: true })
    })
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new StoreClosedError()
    if (this.#failure) throw this.#failure
  }
}
