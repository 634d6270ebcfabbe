import { setMaxListeners } from 'node:events'
import type { Db, Filter } from 'mongodb'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { OptionInvalidError, StoreClosedError } from '../../lib/errors.ts'
import { assertKnownOptions } from '../../lib/known-options.ts'
import type { AccountKeyTable } from '../../lib/log/account-key-table.ts'
import type { Appended, Commit, NewCommit } from '../../lib/log/commit.ts'
import type { ConsumerTable } from '../../lib/log/consumer-table.ts'
import type { EventStore, ReadOptions } from '../../lib/log/event-store.ts'
import type { Follower, FollowListener } from '../../lib/log/follower.ts'
import type { IndexTable } from '../../lib/log/index-table.ts'
import type { LivenessTable } from '../../lib/log/liveness-table.ts'
import type { LogEntry } from '../../lib/log/log-entry.ts'
import type { RetentionTable } from '../../lib/log/retention-table.ts'
import type { SegmentTable } from '../../lib/log/segment-table.ts'
import type { WorkTable } from '../../lib/log/work-table.ts'
import { componentLogger, consoleLogger, type Logger } from '../../lib/logger.ts'
import { KeyRing, type Keys } from '../../lib/secrets/key-ring.ts'
import { guardedTelemetry } from '../../lib/telemetry/guarded-telemetry.ts'
import { noTelemetry, type Telemetry } from '../../lib/telemetry/telemetry.ts'
import { MongoAccountKeys } from './account-keys.ts'
import { Appender } from './appender.ts'
import { ChangeHint, hasConnectionToSpare } from './change-hint.ts'
import type { ServerCapabilities } from './check-server.ts'
import { Collections } from './collections.ts'
import { MongoConsumers } from './consumers.ts'
import { commitOf, type EventsDocument } from './documents.ts'
import { FollowedLog } from './followed-log.ts'
import { MongoIndex } from './index-table.ts'
import { Latency } from './latency.ts'
import { MongoLiveness } from './liveness.ts'
import { openLog } from './open-log.ts'
import { Pages } from './pages.ts'
import { Positions } from './positions.ts'
import { MongoRetention } from './retention-table.ts'
import { MongoSegments } from './segment-table.ts'
import { ServerTime } from './server-time.ts'
import { SharedRuns } from './shared-runs.ts'
import { subscription } from './subscription.ts'
import { TailPoll } from './tail-poll.ts'
import { Wakeups } from './wakeups.ts'
import { MongoWork } from './work.ts'

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
  /** Absent behind a router: whether there is another primary behind it than before, nobody says. */
  readonly follow?: (listener: FollowListener) => Follower
  readonly #collections: Collections
  readonly #positions: Positions
  readonly #pages: Pages
  readonly #appender: Appender
  #telemetry: Telemetry = noTelemetry
  readonly #consumers: MongoConsumers
  readonly #liveness: MongoLiveness
  readonly #work = new Map<string, MongoWork>()
  readonly #serverTime: ServerTime
  readonly #retention: MongoRetention
  readonly #accountKeys: MongoAccountKeys
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #latency = new Latency()
  readonly #wakeups = new Wakeups()
  readonly #hint: ChangeHint | undefined
  readonly #tailPoll: TailPoll
  readonly #runs: SharedRuns
  readonly #followers = new Set<FollowedLog>()
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  /**
   * Opens the log in a database: makes what is missing of its indexes, checks the schema version and the keys, proves the
   * server. Safe to run in many processes at once. The client stays the caller's, who closes it after the store.
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
    { clock = systemClock, logger: given = consoleLogger }: MongoOptions,
  ) {
    this.keys = keys
    setMaxListeners(0, this.#closing.signal) // one for each subscription
    this.#collections = collections
    this.#clock = clock
    const logger = componentLogger(given, 'store')
    this.#logger = logger
    this.#positions = new Positions(collections, clock)
    this.#pages = new Pages(collections, this.#positions)
    this.#liveness = new MongoLiveness(collections)
    const positions = this.#positions
    this.#consumers = new MongoConsumers(collections, {
      get seen() {
        return positions.seen
      },
      end: () => this.end(),
    })
    this.#serverTime = new ServerTime(collections, clock)
    this.#retention = new MongoRetention(collections, this.#serverTime)
    this.#accountKeys = new MongoAccountKeys(collections)
    const wakeups = this.#wakeups
    const isHintable = capabilities.changeStreams && hasConnectionToSpare(collections)
    const runs = new SharedRuns(collections)
    const isOwn = (position: number): boolean => runs.isOwn(position)
    this.#hint = isHintable ? new ChangeHint({ collections, wakeups, clock, logger, isOwn }) : undefined
    this.#runs = runs
    this.#tailPoll = new TailPoll({ collections, wakeups, clock, isHinted: () => this.#hint?.isOpen ?? false })
    this.#appender = new Appender({
      collections,
      positions: this.#positions,
      clock,
      latency: this.#latency,
      fastPath: capabilities.fastPath,
      onBatch: (commits) => this.#telemetry.record('oidc_provider_eventstore.append.batch_size', commits),
      onAppended: (document, bytes) => {
        this.#runs.appended(document, bytes)
        wakeups.wake()
        if (this.#followers.size === 0) return
        const commit = commitOf(document)
        for (const follower of this.#followers) follower.appended(commit)
      },
    })
    collections.macs.onForged = (position) =>
      logger.error(
        { event: 'log_forged', position },
        'a commit in the database is not what this OP stored there: somebody else writes to it. It is not used',
      )
    if (capabilities.knowsPrimary) this.follow = (listener) => this.#follow(listener)
  }

  get logId(): string {
    return this.#collections.macs.logId
  }

  get forged(): ReadonlySet<number> {
    return this.#collections.macs.forged
  }

  measure(telemetry: Telemetry): void {
    this.#telemetry = guardedTelemetry(telemetry, this.#logger)
  }

  async append(commit: NewCommit): Promise<Appended> {
    return this.#appender.append(commit)
  }

  async latest(stream: string): Promise<Commit | undefined> {
    const [commit] = await this.read(stream, { direction: 'backwards', limit: 1 })
    return commit
  }

  async read(stream: string, options: ReadOptions = {}): Promise<Commit[]> {
    return this.readStreams([stream], options)
  }

  async readStreams(streams: readonly string[], options: ReadOptions = {}): Promise<Commit[]> {
    this.#assertOpen()
    return this.#pages.commits(options, streams)
  }

  async readAll({ after, limit }: { readonly after: number; readonly limit: number }): Promise<Commit[]> {
    this.#assertOpen()
    return this.#pages.commits({ from: after + 1, limit })
  }

  async entries({ after, limit }: { readonly after: number; readonly limit: number }): Promise<LogEntry[]> {
    this.#assertOpen()
    return this.#pages.entries(after, limit)
  }

  #follow(listener: FollowListener): Follower {
    this.#assertOpen()
    const follower = new FollowedLog(
      {
        collections: this.#collections,
        pages: this.#pages,
        clock: this.#clock,
        latency: this.#latency,
        logger: this.#logger,
      },
      listener,
      (closed) => this.#followers.delete(closed),
    )
    this.#followers.add(follower)
    return follower
  }

  async end(): Promise<number> {
    this.#assertOpen()
    // From what is known on: not every server is quick to find the last of all.
    const { seen } = this.#positions
    const last = (seen > 0 && (await this.#last({ _id: { $gte: BigInt(seen) } }))) || (await this.#last({}))
    const position = Number(last?._id ?? 0)
    this.#positions.see(position)
    return position
  }

  #last(filter: Filter<EventsDocument>): Promise<Pick<EventsDocument, '_id'> | null> {
    return this.#collections.withTimeout((signal) =>
      this.#collections.events.findOne(filter, { sort: { _id: -1 }, projection: { _id: 1 }, signal }),
    )
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

  get segments(): SegmentTable {
    this.#assertOpen()
    return new MongoSegments(this.#collections)
  }

  get accountKeys(): AccountKeyTable {
    this.#assertOpen()
    return this.#accountKeys
  }

  get retention(): RetentionTable {
    this.#assertOpen()
    return this.#retention
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
      for (const follower of this.#followers) follower.close()
      await this.#hint?.stop()
      this.#collections.close()
    })()
    return this.#closed
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw new StoreClosedError()
  }
}

const OPTIONS: ReadonlySet<string> = new Set(['keys', 'prefix', 'logger', 'clock'])

/** @throws OptionInvalidError */
export function assertOptions(db: Db, options: MongoOptions): void {
  if (typeof db?.collection !== 'function' || typeof db.command !== 'function') {
    const what = "must be a Db of the mongodb driver: client.db('op'); of a Mongoose connection, its `db`"
    throw new OptionInvalidError('db', what)
  }
  assertKnownOptions(options ?? {}, OPTIONS)
  if (options?.prefix !== undefined && !/^[A-Za-z0-9_-]*$/.test(options.prefix)) {
    throw new OptionInvalidError('prefix', 'may hold letters, digits, - and _')
  }
}
