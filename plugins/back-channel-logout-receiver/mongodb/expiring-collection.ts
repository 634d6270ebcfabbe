import type { Abortable, Collection, CommandOperationOptions, Db } from 'mongodb'
import { nonEmptyString, positiveNumber, ReceiverOptionError } from '../option-error.ts'
import { ReceiverStoreError } from '../receiver-store-error.ts'
import { withTimeout } from '../time-limit.ts'

/** A document with an expiry. Only `removeAt` is compared with the server's clock. */
export interface ExpiringDocument {
  readonly _id: string
  readonly removeAt: Date
}

/** The options of every command. The driver supports the signal for all of them, its types declare it for reads only. */
export type CallOptions = Abortable & CommandOperationOptions

export interface ExpiringCollectionOptions {
  readonly collectionName: string
  readonly timeoutMs?: number
}

/** The end of the year 9999: later dates are valid, but not every tool can read them. */
const LAST_MS = Date.UTC(9999, 11, 31)

/** How far the server's clock may be ahead without removing entries that have not expired. */
const CLOCK_MARGIN_SECONDS = 60 * 60

/**
 * A collection whose documents MongoDB removes some time after they have expired, and whose commands have a time limit.
 * Uniqueness relies on the index of `_id`, which every collection has from its creation, so that it can neither be missing
 * nor be created too late.
 */
export class ExpiringCollection<Entry extends ExpiringDocument> {
  readonly #collection: Collection<Entry>
  readonly #timeoutMs: number

  /** @throws {ReceiverOptionError} `OPTION_INVALID` @throws {ReceiverStoreError} `STORE_UNAVAILABLE` */
  static async open<Entry extends ExpiringDocument>(
    db: Db,
    { collectionName, timeoutMs }: ExpiringCollectionOptions,
  ): Promise<ExpiringCollection<Entry>> {
    if (typeof db?.collection !== 'function') throw new ReceiverOptionError('db', 'must be a Db of the MongoDB driver')
    const limitMs = positiveNumber('timeoutMs', timeoutMs, 3_000)
    const opened = new ExpiringCollection<Entry>(db, nonEmptyString('collectionName', collectionName), limitMs)
    // Any number of processes may create it concurrently.
    await opened.run((collection, options) =>
      collection.createIndex({ removeAt: 1 }, { expireAfterSeconds: 0, ...options }),
    )
    return opened
  }

  private constructor(db: Db, name: string, timeoutMs: number) {
    this.#collection = db.collection<Entry>(name, {
      // Independent of the client's settings: a write that a failover can roll back is not confirmed.
      writeConcern: { w: 'majority', journal: true },
      readPreference: 'primary',
      readConcern: { level: 'local' },
      promoteValues: true,
      promoteLongs: true,
      useBigInt64: false,
      raw: false,
    })
    this.#timeoutMs = timeoutMs
  }

  /**
   * Runs a command with a time limit. By itself the driver waits 30 seconds for a primary, and without limit for a
   * connection that no longer responds. On timeout the signal aborts, and the driver closes the connection, so that such
   * connections do not fill the pool. A write that has timed out may have been executed, or may still be.
   *
   * @throws {ReceiverStoreError} `STORE_UNAVAILABLE`; a duplicate key error is passed on unchanged
   */
  async run<T>(call: (collection: Collection<Entry>, options: CallOptions) => Promise<T>): Promise<T> {
    const timeout = new AbortController()
    const timedOut = (): Error => {
      const error = new ReceiverStoreError(`MongoDB has not responded within ${this.#timeoutMs} ms`)
      timeout.abort(error)
      return error
    }
    try {
      return await withTimeout(() => call(this.#collection, { signal: timeout.signal }), this.#timeoutMs, timedOut)
    } catch (error) {
      throw isDuplicateKey(error) || error instanceof ReceiverStoreError ? error : unavailable(error)
    }
  }
}

/** When MongoDB may remove a document that expires at `expiresAt` (seconds since the epoch). */
export function removeAt(expiresAt: number): Date {
  return new Date(Math.min((expiresAt + CLOCK_MARGIN_SECONDS) * 1000, LAST_MS))
}

/** Whether a write failed on the unique index. Checked by code, so that no class of the driver has to be imported. */
export function isDuplicateKey(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 11000
}

function unavailable(cause: unknown): ReceiverStoreError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new ReceiverStoreError(`MongoDB is unavailable or refused the command: ${why}`, { cause })
}
