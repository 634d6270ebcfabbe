import type { Abortable, Collection, CommandOperationOptions, Db } from 'mongodb'
import { nonEmptyString, positive, ReceiverOptionError } from '../option-error.ts'
import { ReceiverStoreError } from '../receiver-store-error.ts'
import { withTimeout } from '../time-limit.ts'

/** When MongoDB may remove a document. Nothing but this field is left to the server's clock. */
export interface Expiring {
  readonly _id: string
  readonly removeAt: Date
}

/** What every command gets. The driver hands the signal on for all of them; its types say so for reads alone. */
export type CallOptions = Abortable & CommandOperationOptions

export interface ExpiringCollectionOptions {
  readonly collectionName: string
  readonly timeoutMs?: number
}

/** The end of the year 9999: later dates are legal, and not everything that reads them takes them. */
const LAST_MS = Date.UTC(9999, 11, 31)

/** So far may the server's clock be ahead before it removes what still counts. */
const CLOCK_MARGIN_SECONDS = 60 * 60

/**
 * A collection whose documents MongoDB removes some time after they have lost their meaning, and calls to it that are
 * answered in time. The unique index is that of `_id`, which every collection has from its first moment: there is none
 * to create, to forget, or to be raced for.
 */
export class ExpiringCollection<Kept extends Expiring> {
  readonly #collection: Collection<Kept>
  readonly #timeoutMs: number

  /** @throws {ReceiverOptionError} `OPTION_INVALID` @throws {ReceiverStoreError} `STORE_UNAVAILABLE` */
  static async open<Kept extends Expiring>(
    db: Db,
    { collectionName, timeoutMs }: ExpiringCollectionOptions,
  ): Promise<ExpiringCollection<Kept>> {
    if (typeof db?.collection !== 'function') throw new ReceiverOptionError('db', 'must be a Db of the MongoDB driver')
    const limitMs = positive('timeoutMs', timeoutMs, 3_000)
    const opened = new ExpiringCollection<Kept>(db, nonEmptyString('collectionName', collectionName), limitMs)
    // Any number of processes may ask for it at once.
    await opened.ask((collection, options) =>
      collection.createIndex({ removeAt: 1 }, { expireAfterSeconds: 0, ...options }),
    )
    return opened
  }

  private constructor(db: Db, name: string, timeoutMs: number) {
    this.#collection = db.collection<Kept>(name, {
      // Whatever the caller's client says: what a fail-over can undo has not happened.
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
   * A call that is answered in time: the driver would wait half a minute for a primary, and for ever for a connection
   * that has gone silent. When the time is over the signal aborts, upon which the driver closes the connection, so that a
   * small pool is not full of those. A write that was not answered may have happened, and may still.
   *
   * @throws {ReceiverStoreError} `STORE_UNAVAILABLE`; a duplicate key comes through as it is
   */
  async ask<T>(call: (collection: Collection<Kept>, options: CallOptions) => Promise<T>): Promise<T> {
    const timeout = new AbortController()
    const timedOut = (): Error => {
      const error = new ReceiverStoreError(`MongoDB has not answered for ${this.#timeoutMs} ms`)
      timeout.abort(error)
      return error
    }
    try {
      return await withTimeout(() => call(this.#collection, { signal: timeout.signal }), this.#timeoutMs, timedOut)
    } catch (error) {
      throw isDuplicate(error) || error instanceof ReceiverStoreError ? error : unavailable(error)
    }
  }
}

/** The date from which on MongoDB may remove what counts until `expiresAt` (seconds since the epoch). */
export function removeAt(expiresAt: number): Date {
  return new Date(Math.min((expiresAt + CLOCK_MARGIN_SECONDS) * 1000, LAST_MS))
}

/** Whether the unique index refused a write. By its code, so that the driver is not loaded a second time for a class. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 11000
}

function unavailable(cause: unknown): ReceiverStoreError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new ReceiverStoreError(`MongoDB cannot be reached, or refuses: ${why}`, { cause })
}
