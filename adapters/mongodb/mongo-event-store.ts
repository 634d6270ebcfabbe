import { setMaxListeners } from 'node:events'
import { type Db, Long } from 'mongodb'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { OptionInvalidError, StoreClosedError } from '../../lib/errors.ts'
import type { Appended, Commit, NewCommit } from '../../lib/log/commit.ts'
import type { ConsumerTable } from '../../lib/log/consumer-table.ts'
import type { EventStore, ReadOptions } from '../../lib/log/event-store.ts'
import type { LivenessTable } from '../../lib/log/liveness-table.ts'
import type { WorkTable } from '../../lib/log/work-table.ts'
import { type Logger, silent } from '../../lib/logger.ts'
import { KeyRing, type Keys } from '../../lib/secrets/key-ring.ts'
import { Appender } from './appender.ts'
import { ChangeHint } from './change-hint.ts'
import { Collections } from './collections.ts'
import { MongoConsumers } from './consumers.ts'
import { commitOf, type EventsDocument } from './documents.ts'
import { Latency } from './latency.ts'
import { MongoLiveness } from './liveness.ts'
import { Positions } from './positions.ts'
import { prepareDatabase, proveServer, type ServerTraits } from './preflight.ts'
import { ServerTime } from './server-time.ts'
import { subscription } from './subscription.ts'
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

/** Work tables whose indexes `open()` makes. */
const WORK_TABLES: readonly string[] = ['deliveries', 'endings']

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
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  /**
   * Opens the log in a database: makes indexes, checks the schema version and the keys, proves the server. Safe to run in
   * many processes at once. The client stays the caller's, who closes it after the store.
   *
   * @throws OptionInvalidError, KeysInvalidError, KeyUnknownError, SchemaNewerError, ServerUnfitError,
   *   StoreUnavailableError, StoreRefusedError
   */
  static async open(db: Db, options: MongoOptions): Promise<MongoEventStore> {
    assertOptions(db, options)
    const keys = new KeyRing(options?.keys)
    const collections = new Collections(db, options.prefix ?? '', options.clock ?? systemClock)
    const traits = await collections.reach(
      (async () => {
        const proven = await proveServer(collections)
        await prepareDatabase(collections, keys)
        await MongoLiveness.prepare(collections)
        for (const table of WORK_TABLES) await MongoWork.prepare(collections, table)
        return proven
      })(),
    )
    return new MongoEventStore(collections, keys, traits, options)
  }

  private constructor(
    collections: Collections,
    keys: KeyRing,
    traits: ServerTraits,
    { clock = systemClock, logger = silent }: MongoOptions,
  ) {
    this.keys = keys
    setMaxListeners(0, this.#closing.signal) // one for each subscription
    this.#collections = collections
    this.#clock = clock
    this.#logger = logger
    this.#positions = new Positions(collections, clock)
    this.#consumers = new MongoConsumers(collections)
    this.#liveness = new MongoLiveness(collections)
    this.#serverTime = new ServerTime(collections, clock)
    const wakeups = this.#wakeups
    this.#hint = traits.changeStreams ? new ChangeHint({ collections, wakeups, clock, logger }) : undefined
    this.#appender = new Appender({
      collections,
      positions: this.#positions,
      clock,
      latency: this.#latency,
      quietPath: traits.quietPath,
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

  async read(stream: string, { from, direction = 'forwards', limit }: ReadOptions = {}): Promise<Commit[]> {
    this.#assertOpen()
    if (limit === 0) return [] // no limit at all, to MongoDB
    const forwards = direction === 'forwards'
    const range =
      from === undefined ? {} : { _id: forwards ? { $gte: Long.fromNumber(from) } : { $lte: Long.fromNumber(from) } }
    const found = this.#collections.events.find({ s: stream, ...range }).sort({ _id: forwards ? 1 : -1 })
    return this.#commits(this.#collections.reach(found.limit(limit ?? 0).toArray()))
  }

  async readStreams(streams: readonly string[]): Promise<Commit[]> {
    this.#assertOpen()
    return this.#commits(
      this.#collections.reach(
        this.#collections.events
          .find({ s: { $in: [...streams] } })
          .sort({ _id: 1 })
          .toArray(),
      ),
    )
  }

  async readAll({ after, limit }: { readonly after: number; readonly limit: number }): Promise<Commit[]> {
    this.#assertOpen()
    const found: Commit[] = []
    if (limit === 0) return found
    for (let position = after; ; ) {
      const documents = await this.#collections.reach(
        this.#collections.events
          .find({ _id: { $gt: Long.fromNumber(position) } })
          .sort({ _id: 1 })
          .limit(limit - found.length)
          .toArray(),
      )
      found.push(...documents.filter(({ e }) => e.length > 0).map(commitOf))
      position = Number(documents.at(-1)?._id ?? position)
      if (documents.length > 0) this.#positions.see(position)
      if (documents.length === 0 || found.length >= limit) return found
    }
  }

  async end(): Promise<number> {
    this.#assertOpen()
    const last = await this.#collections.reach(
      this.#collections.events.findOne({}, { sort: { _id: -1 }, projection: { _id: 1 } }),
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
    const work = this.#work.get(table) ?? new MongoWork(this.#collections, table, this.#serverTime)
    this.#work.set(table, work)
    return work
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      await this.#appender.close()
      this.#closing.abort()
      await this.#hint?.stop()
      this.#collections.close()
    })()
    return this.#closed
  }

  async #commits(documents: Promise<EventsDocument[]>): Promise<Commit[]> {
    const found = await documents
    for (const { _id } of found) this.#positions.see(Number(_id))
    return found.map(commitOf)
  }

  #assertOpen(): void {
    if (this.#closed !== undefined) throw new StoreClosedError()
  }
}

const OPTIONS: ReadonlySet<string> = new Set(['keys', 'prefix', 'logger', 'clock'])

function assertOptions(db: Db, options: MongoOptions): void {
  if (typeof db?.collection !== 'function')
    throw new OptionInvalidError('db', "must be a Db of the mongodb driver: client.db('op')")
  for (const option of Object.keys(options ?? {})) {
    if (!OPTIONS.has(option)) throw new OptionInvalidError(option, `is not known; known are ${[...OPTIONS].join(', ')}`)
  }
  if (options?.prefix !== undefined && !/^[A-Za-z0-9_-]*$/.test(options.prefix)) {
    throw new OptionInvalidError('prefix', 'may hold letters, digits, - and _')
  }
}
