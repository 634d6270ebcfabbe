import { setMaxListeners } from 'node:events'
import type { Collection, Db, Document, MongoClient, RunCommandOptions } from 'mongodb'
import { type Clock, onNextTurn } from '../../lib/clock.ts'
import { StoreClosedError } from '../../lib/errors.ts'
import type { CommitMacs } from './commit-macs.ts'
import { Deadlines } from './deadlines.ts'
import type {
  AccountKeyDocument,
  ConsumerDocument,
  CountersDocument,
  EventsDocument,
  IndexDocument,
  LaneDocument,
  LivenessDocument,
  MacKeysDocument,
  RetentionDocument,
  SchemaDocument,
  SegmentDocument,
  SegmentHeadDocument,
  WorkDocument,
} from './documents.ts'
import { assertWritten, isDiskFull, isDuplicate, isPermanent, WriteError } from './outcome.ts'
import { BSON_SETTINGS, SETTINGS, WRITE_CONCERN } from './settings.ts'
import { asStoreError } from './store-errors.ts'
import { Table } from './table.ts'
import { COMMAND_TIMEOUT_MS, withTimeout } from './with-timeout.ts'

/** A call that has not been answered in time is repeated, once, over another connection. */
const TRIES = 2

/** A call to the database, with the signal that ends it. */
export type Call<T> = (signal: AbortSignal) => Promise<T>

/**
 * The collections of one log, and the commands to them.
 *
 * Every command has a time limit. Single look-ups and tables are read through the driver's collections, with a `signal`;
 * pages of the log (see `firstBatch`) and all writes go through `db.command`. Of the driver's methods that write, none
 * takes a signal, so that a silent connection would keep its command for as long as TCP waits; and the reply is then the
 * server's own, whichever copy of the driver brings it. The driver's `timeoutMS` has no effect since 7.9.
 */
export class Collections {
  readonly db: Db
  readonly prefix: string
  readonly #admin: Db
  readonly #clock: Clock
  readonly #deadlines: Deadlines
  readonly #made = new Map<string, Collection>()
  readonly #closing = new AbortController()
  #macs: CommitMacs | undefined

  constructor(db: Db, prefix: string, clock: Clock) {
    this.db = db
    this.prefix = prefix
    this.#admin = db.client.db('admin')
    this.#clock = clock
    this.#deadlines = new Deadlines(clock, COMMAND_TIMEOUT_MS)
    setMaxListeners(0, this.#closing.signal) // one for each command with another limit
  }

  /** Runs one command, once, within its time limit, and with the errors of the driver. */
  attempt<T>(call: Call<T>, timeoutMs: number = COMMAND_TIMEOUT_MS): Promise<T> {
    if (timeoutMs === COMMAND_TIMEOUT_MS) return this.#deadlines.run(async (signal) => call(signal))
    return withTimeout(this.#clock, timeoutMs, call, this.#closing.signal)
  }

  /**
   * Runs a command that may be carried out twice, within ten seconds: once more where the first was not answered in
   * time. A promise instead of a function is waited for as it is.
   *
   * @throws StoreRefusedError (`STORE_REFUSED`), StoreUnavailableError (`STORE_UNAVAILABLE`)
   */
  async withTimeout<T>(call: Call<T> | Promise<T>): Promise<T> {
    try {
      if (typeof call !== 'function') return await this.attempt(() => call, TRIES * COMMAND_TIMEOUT_MS)
      return await this.#repeated(call)
    } catch (error) {
      throw asStoreError(error)
    }
  }

  /** An error that the server itself has answered is not a reason to repeat the command. */
  async #repeated<T>(call: Call<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.attempt(call)
      } catch (error) {
        const isAnswer = error instanceof WriteError || isPermanent(error) || isDuplicate(error) || isDiskFull(error)
        if (tries === TRIES || isAnswer || this.#closing.signal.aborted) throw error
        // Where a server went away the other connections are dead as well: the driver learns of that within a turn.
        await new Promise<void>((resolve) => onNextTurn(resolve))
      }
    }
  }

  /** From now on every use is refused, by tables that were handed out before as well; commands on their way end. */
  close(): void {
    const closed = new StoreClosedError()
    this.#closing.abort(closed)
    this.#deadlines.stop(closed)
  }

  /** @throws StoreClosedError (`STORE_CLOSED`) */
  assertOpen(): void {
    if (this.#closing.signal.aborted) throw new StoreClosedError()
  }

  get client(): MongoClient {
    return this.db.client
  }

  /** A collection's name, with the prefix of this log. */
  name(collection: string): string {
    return `${this.prefix}${collection}`
  }

  /** `database.collection`, as `bulkWrite` wants it. */
  namespace(collection: string): string {
    return `${this.db.databaseName}.${this.name(collection)}`
  }

  /** A command of the server's, as it is. */
  command(body: Document, options: RunCommandOptions & { readonly signal: AbortSignal }): Promise<Document> {
    return this.#command(this.db, body, options)
  }

  /** The same, of the database `admin`. */
  adminCommand(body: Document, options: RunCommandOptions & { readonly signal: AbortSignal }): Promise<Document> {
    return this.#command(this.#admin, body, options)
  }

  async #command(db: Db, body: Document, options: RunCommandOptions): Promise<Document> {
    this.assertOpen()
    return db.command(body, { ...BSON_SETTINGS, readPreference: 'primary', ...options })
  }

  /** Inserts whatever it can, in no order. The reply tells which documents it could not insert. */
  insert(collection: string, documents: readonly object[], signal: AbortSignal): Promise<Document> {
    const insert = { insert: this.name(collection), documents, ordered: false, writeConcern: WRITE_CONCERN }
    return this.command(insert, { signal })
  }

  /** Updates one document. Returns how many were found. */
  async update(
    collection: string,
    update: { readonly q: Document; readonly u: Document | Document[]; readonly upsert?: boolean },
    signal: AbortSignal,
  ): Promise<number> {
    const body = { update: this.name(collection), updates: [update], writeConcern: WRITE_CONCERN }
    const reply = await this.command(body, { signal })
    assertWritten(reply)
    return Number(reply['n'])
  }

  /** Deletes one document. Returns how many went. */
  async deleteOne(collection: string, q: Document, signal: AbortSignal): Promise<number> {
    const body = { delete: this.name(collection), deletes: [{ q, limit: 1 }], writeConcern: WRITE_CONCERN }
    const reply = await this.command(body, { signal })
    assertWritten(reply)
    return Number(reply['n'])
  }

  /** Updates one document and returns it as it then is; null where there is none. */
  async findAndUpdate<T extends object>(
    collection: string,
    change: { readonly query: Document; readonly update: Document | Document[]; readonly upsert?: boolean },
    signal: AbortSignal,
  ): Promise<T | null> {
    const body = { findAndModify: this.name(collection), ...change, new: true, writeConcern: WRITE_CONCERN }
    const { value } = await this.command(body, { signal })
    return (value ?? null) as T | null
  }

  /** Sees every acknowledged write: a fresh primary's majority snapshot may lag behind. */
  get events(): Collection<EventsDocument> {
    return this.#collection(this.name('events'))
  }

  /** Sees only what no fail-over can undo. */
  get majorityEvents(): Collection<EventsDocument> {
    return this.#collection(this.name('events'), 'majority')
  }

  get counters(): Collection<CountersDocument> {
    return this.#collection(this.name('counters'))
  }

  get schema(): Collection<SchemaDocument> {
    return this.#collection(this.name('counters'))
  }

  get macKeys(): Collection<MacKeysDocument> {
    return this.#collection(this.name('counters'))
  }

  /** What commits are signed and verified with. */
  get macs(): CommitMacs {
    if (!this.#macs) throw new Error('the log has no keys yet')
    return this.#macs
  }

  set macs(macs: CommitMacs) {
    this.#macs = macs
  }

  get segmentHead(): Collection<SegmentHeadDocument> {
    return this.#collection(this.name('counters'))
  }

  get retention(): Collection<RetentionDocument> {
    return this.#collection(this.name('counters'))
  }

  get consumers(): Collection<ConsumerDocument> {
    return this.#collection(this.name('consumers'))
  }

  get accountKeys(): Table<AccountKeyDocument> {
    return this.#table('account_keys')
  }

  get liveness(): Table<LivenessDocument> {
    return this.#table('liveness')
  }

  get segments(): Table<SegmentDocument> {
    return this.#table('log_segments')
  }

  work(table: string): Table<WorkDocument> {
    return this.#table(table)
  }

  index(name: string): Table<IndexDocument> {
    return this.#table(name)
  }

  lanes(table: string): Table<LaneDocument> {
    return this.#table(`${table}_lanes`)
  }

  #table<T extends object>(name: string): Table<T> {
    this.assertOpen()
    return new Table(this, this.name(name))
  }

  /** A collection by its full name. */
  collection<T extends object>(fullName: string): Collection<T> {
    return this.#collection(fullName)
  }

  /** Each is made once: making one costs the driver as much as a small query. */
  #collection<T extends object>(fullName: string, level: 'local' | 'majority' = 'local'): Collection<T> {
    this.assertOpen()
    const key = `${level} ${fullName}`
    const made = this.#made.get(key) ?? this.db.collection(fullName, { ...SETTINGS, readConcern: { level } })
    this.#made.set(key, made)
    return made as unknown as Collection<T>
  }
}
