import type { Collection, CollectionOptions, Db, Document, MongoClient } from 'mongodb'
import type { Clock } from '../../lib/clock.ts'
import { StoreClosedError } from '../../lib/errors.ts'
import type {
  ConsumerDocument,
  CountersDocument,
  EventsDocument,
  LaneDocument,
  LivenessDocument,
  SchemaDocument,
  WorkDocument,
} from './documents.ts'
import { reaching } from './reaching.ts'

/**
 * How this store talks to its collections, whatever the caller's client says: the primary, acknowledged by the majority
 * and its journal, numbers as numbers.
 */
const SETTINGS: CollectionOptions = {
  readPreference: 'primary',
  readConcern: { level: 'local' },
  writeConcern: { w: 'majority', journal: true },
  promoteLongs: true,
  promoteValues: true,
  promoteBuffers: false,
  useBigInt64: false,
  bsonRegExp: false,
  // An object without a prototype: the driver looks field names up in it, and `constructor` must not be found.
  fieldsAsRaw: Object.create(null) as Document,
  ignoreUndefined: false,
  serializeFunctions: false,
  raw: false,
}

/** The collections of one log. */
export class Collections {
  readonly db: Db
  readonly prefix: string
  readonly #clock: Clock
  #closed = false

  constructor(db: Db, prefix: string, clock: Clock) {
    this.db = db
    this.prefix = prefix
    this.#clock = clock
  }

  /** A call to the database, answered in time and with this package's errors: see `reaching`. */
  reach<T>(call: Promise<T>): Promise<T> {
    return reaching(call, this.#clock)
  }

  /** From now on every use is refused, by tables that were handed out before as well. */
  close(): void {
    this.#closed = true
  }

  /** @throws StoreClosedError (`STORE_CLOSED`) */
  assertOpen(): void {
    if (this.#closed) throw new StoreClosedError()
  }

  get client(): MongoClient {
    return this.db.client
  }

  /** `database.collection`, as `client.bulkWrite` wants it. */
  namespace(name: string): string {
    return `${this.db.databaseName}.${this.prefix}${name}`
  }

  /** Sees every acknowledged write: a fresh primary's majority snapshot may lag behind. */
  get events(): Collection<EventsDocument> {
    return this.#collection('events')
  }

  /** Sees only what no fail-over can undo. */
  get majorityEvents(): Collection<EventsDocument> {
    return this.#collection('events', { readConcern: { level: 'majority' } })
  }

  get counters(): Collection<CountersDocument> {
    return this.#collection('counters')
  }

  get schema(): Collection<SchemaDocument> {
    return this.#collection('counters')
  }

  get consumers(): Collection<ConsumerDocument> {
    return this.#collection('consumers')
  }

  get liveness(): Collection<LivenessDocument> {
    return this.#collection('liveness')
  }

  work(table: string): Collection<WorkDocument> {
    return this.#collection(table)
  }

  lanes(table: string): Collection<LaneDocument> {
    return this.#collection(`${table}_lanes`)
  }

  scratch(name: string): Collection<{ _id: string; k?: string[]; n?: number }> {
    return this.#collection(name)
  }

  #collection<T extends object>(name: string, more: CollectionOptions = {}): Collection<T> {
    this.assertOpen()
    return this.db.collection<T>(`${this.prefix}${name}`, { ...SETTINGS, ...more })
  }
}
