import { setMaxListeners } from 'node:events'
import type { Db, Document } from 'mongodb'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { OptionInvalidError, StoreClosedError } from '../../lib/errors.ts'
import { assertKnownOptions } from '../../lib/known-options.ts'
import type { Appended, Commit, NewCommit } from '../../lib/log/commit.ts'
import type { ConsumerTable } from '../../lib/log/consumer-table.ts'
import type { EventStore, ReadOptions } from '../../lib/log/event-store.ts'
import type { IndexTable } from '../../lib/log/index-table.ts'
import type { LivenessTable } from '../../lib/log/liveness-table.ts'
import type { WorkTable } from '../../lib/log/work-table.ts'
import { consoleLogger, type Logger } from '../../lib/logger.ts'
import { KeyRing, type Keys } from '../../lib/secrets/key-ring.ts'
import { Appender } from './appender.ts'
import { ChangeHint, hasConnectionToSpare } from './change-hint.ts'
import type { ServerCapabilities } from './check-server.ts'
import { Collections } from './collections.ts'
import { MongoConsumers } from './consumers.ts'
import { assertEventsDocuments, commitOf, type EventsDocument, isTombstone } from './documents.ts'
import { type FirstBatch, firstBatch } from './first-batch.ts'
import { MongoIndex } from './index-table.ts'
import { Latency } from './latency.ts'
import { MongoLiveness } from './liveness.ts'
import { openLog } from './open-log.ts'
import { Positions } from './positions.ts'
import { ServerTime } from './server-time.ts'
import { DOCUMENTS_AT_ONCE } from './settings.ts'
import { SharedRuns } from './shared-runs.ts'
import { subscription } from './subscription.ts'
import { TailPoll } from './tail-poll.ts'
import { Wakeups } from './wakeups.ts'
import { MongoWork } from './work.ts'

/** Reads see every acknowledged write: a fresh primary's majority snapshot may lag behind. */
const EVENTS = { collection: 'events', level: 'local' } as const

/** How to open the log on MongoDB. */
export interface MongoOptions {
  /** Required: what hashes ids and seals payloads, so that a dump of the database holds no usable credential. */
  readonly keys: Keys
  /** Put before the names of the collections: several logs in one database. Default: nothing. */
  readonly prefix?: string
  readonly logger?: Logger
  readonly clock?: Clock
}

/**
 * The log on MongoDB 7 and 8: no transactions, no change streams needed; a unique index and an atomic
 * `findOneAndUpdate` decide everything.
 */
export class MongoEventStore implements EventStore {
  readonly keys: KeyRing
  readonly #collections: Collections
  readonly #positions: Positions
  readonly #appender: Appender
  readonly #consumers: MongoConsumers
  readonly #liveness: MongoLiveness
  readonly #work = new Map<string, MongoWork>()
  readonly #serverTime: ServerTime
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #latency = new Latency()
  readonly #wakeups = new Wakeups()
  readonly #hint: ChangeHint | undefined
  readonly #tailPoll: TailPoll
  readonly #runs: SharedRuns
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  /**
   * Opens the log in a database: makes indexes, checks the schema version and the keys, proves the server. Safe to run in
   * many processes at once. The client stays the caller's, who closes it after the store.
   *
   * @throws OptionInvalidError, KeysInvalidError, KeyUnknownError, SchemaNewerError, ServerUnfitError,
   *   CollectionUnfitError, StoreUnavailableError, StoreRefusedError
   */
  static async open(db: Db, options: MongoOptions): Promise<MongoEventStore> {
    assertOptions(db, options)
    const keys = new KeyRing(options?.keys)
    const collections = new Collections(db, options.prefix ?? '', options.clock ?? systemClock)
    const capabilities = await openLog(collections, keys)
    return new MongoEventStore(collections, keys, capabilities, options)
  }

  private constructor(
    collections: Collections,
    keys: KeyRing,
    capabilities: ServerCapabilities,
    { clock = systemClock, logger = consoleLogger }: MongoOptions,
  ) {
    this.keys = keys
    setMaxListeners(0, this.#closing.signal) // one for each subscription
    this.#collections = collections
    this.#clock = clock
    this.#logger = logger
    this.#positions = new Positions(collections, clock)
    this.#liveness = new MongoLiveness(collections)
    const positions = this.#positions
    this.#consumers = new MongoConsumers(collections, {
      get seen() {
        return positions.seen
      },
      end: () => this.end(),
    })
    this.#serverTime = new ServerTime(collections, clock)
    const wakeups = this.#wakeups
    const isHintable = capabilities.changeStreams && hasConnectionToSpare(collections)
    this.#hint = isHintable ? new ChangeHint({ collections, wakeups, clock, logger }) : undefined
    this.#runs = new SharedRuns(collections)
    this.#tailPoll = new TailPoll({ collections, wakeups, clock, isHinted: () => this.#hint?.isOpen ?? false })
    this.#appender = new Appender({
      collections,
      positions: this.#positions,
      clock,
      latency: this.#latency,
      fastPath: capabilities.fastPath,
      onAppended: () => wakeups.wake(),
    })
  }

  async append(commit: NewCommit): Promise<Appended> {
    return this.#appender.append(commit)
  }

  async latest(stream: string): Promise<Commit | undefined> {
    const [commit] = await this.read(stream, { direction: 'backwards', limit: 1 })
    return commit
  }

  async read(stream: string, options: ReadOptions = {}): Promise<Commit[]> {
    return this.#pages({ s: stream }, options)
  }

  async readStreams(streams: readonly string[], options: ReadOptions = {}): Promise<Commit[]> {
    const [only] = streams
    return this.#pages({ s: streams.length === 1 && only !== undefined ? only : { $in: [...streams] } }, options)
  }

  async readAll({ after, limit }: { readonly after: number; readonly limit: number }): Promise<Commit[]> {
    return this.#pages({}, { from: after + 1, limit })
  }

  async end(): Promise<number> {
    this.#assertOpen()
    const last = await this.#collections.withTimeout((signal) =>
      this.#collections.events.findOne({}, { sort: { _id: -1 }, projection: { _id: 1 }, signal }),
    )
    const position = Number(last?._id ?? 0)
    this.#positions.see(position)
    return position
  }

  async *subscribe({
    after,
    signal,
  }: {
    readonly after: number
    readonly signal?: AbortSignal
  }): AsyncGenerator<readonly Commit[]> {
    this.#assertOpen()
    const ended = new AbortController()
    const end = (): void => ended.abort()
    for (const cause of [signal, this.#closing.signal]) {
      if (cause?.aborted) return
      cause?.addEventListener('abort', end, { once: true })
    }
    this.#hint?.start()
    try {
      yield* subscription(
        {
          collections: this.#collections,
          positions: this.#positions,
          clock: this.#clock,
          latency: this.#latency,
          logger: this.#logger,
          wakeups: this.#wakeups,
          tailPoll: this.#tailPoll,
          runs: this.#runs,
        },
        after,
        ended.signal,
      )
    } finally {
      signal?.removeEventListener('abort', end)
      this.#closing.signal.removeEventListener('abort', end)
    }
  }

  get consumers(): ConsumerTable {
    this.#assertOpen()
    return this.#consumers
  }

  get liveness(): LivenessTable {
    this.#assertOpen()
    return this.#liveness
  }

  work(table: string): WorkTable {
    this.#assertOpen()
    const work = this.#work.get(table) ?? new MongoWork(this.#collections, table, this.#serverTime, this.#clock)
    this.#work.set(table, work)
    return work
  }

  index(name: string): IndexTable {
    this.#assertOpen()
    return new MongoIndex(this.#collections, name)
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      const unknown = await this.#appender.close()
      if (unknown > 0) {
        this.#logger.warn(
          { appends: unknown, event: 'outcomes_left_unknown' },
          'the store closes with appends of unknown outcome: whether they were stored shows in their streams',
        )
      }
      this.#closing.abort()
      await this.#hint?.stop()
      this.#collections.close()
    })()
    return this.#closed
  }

  /**
   * Commits in the order of the log, page by page: each answer of the server is bounded, and the next one begins behind
   * the last document of the one before. Tombstones count for the pages, and are left out.
   */
  async #pages(
    filter: { readonly s?: string | { readonly $in: string[] } },
    { from, direction = 'forwards', limit = Number.POSITIVE_INFINITY }: ReadOptions,
  ): Promise<Commit[]> {
    this.#assertOpen()
    const found: Commit[] = []
    const order = direction === 'forwards' ? 1 : -1
    let start = from
    while (found.length < limit) {
      const range = start === undefined ? {} : { _id: { [order === 1 ? '$gte' : '$lte']: BigInt(start) } }
      const most = Math.min(limit - found.length, DOCUMENTS_AT_ONCE)
      const page = await this.#page({ ...filter, ...range }, order, most)
      found.push(...page.documents.filter((document) => !isTombstone(document)).map(commitOf))
      const last = page.documents.at(-1)
      if (!last || (page.isComplete && page.documents.length < most)) return found
      start = Number(last._id) + order
    }
    return found
  }

  async #page(filter: Document, order: 1 | -1, most: number): Promise<FirstBatch<EventsDocument>> {
    const page = await this.#collections.withTimeout((signal) =>
      firstBatch<EventsDocument>(this.#collections, { ...EVENTS, filter, sort: { _id: order }, limit: most }, signal),
    )
    assertEventsDocuments(this.#collections.namespace('events'), page.documents)
    for (const { _id } of page.documents) this.#positions.see(Number(_id))
    return page
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw new StoreClosedError()
  }
}

const OPTIONS: ReadonlySet<string> = new Set(['keys', 'prefix', 'logger', 'clock'])

function assertOptions(db: Db, options: MongoOptions): void {
  if (typeof db?.collection !== 'function' || typeof db.command !== 'function') {
    const what = "must be a Db of the mongodb driver: client.db('op'); of a Mongoose connection, its `db`"
    throw new OptionInvalidError('db', what)
  }
  assertKnownOptions(options ?? {}, OPTIONS)
  if (options?.prefix !== undefined && !/^[A-Za-z0-9_-]*$/.test(options.prefix)) {
    throw new OptionInvalidError('prefix', 'may hold letters, digits, - and _')
  }
}
