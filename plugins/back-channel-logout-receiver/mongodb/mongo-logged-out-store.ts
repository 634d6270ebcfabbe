import type { Db } from 'mongodb'
import { requireKnownOptions } from '../option-error.ts'
import type { LoggedOutEntry, LoggedOutStore } from '../sessions/logged-out-store.ts'
import { ExpiringCollection, type ExpiringDocument, isDuplicateKey, removeAt } from './expiring-collection.ts'

export interface MongoLoggedOutStoreOptions {
  /** Default `logged_out_sessions`. */
  collectionName?: string
  /** The time limit of one command to MongoDB, in milliseconds. Default 3000. */
  timeoutMs?: number
}

interface LoggedOutDocument extends ExpiringDocument {
  readonly loggedOutAt: number
}

/**
 * A `LoggedOutStore` for an RP that runs as several processes. A logout that was answered with 200 is confirmed by a
 * majority, and every process sees it at its next request. Each request of a logged-in user costs one `find` of two ids on
 * the primary.
 */
export class MongoLoggedOutStore implements LoggedOutStore {
  readonly #entries: ExpiringCollection<LoggedOutDocument>

  /**
   * Creates the index that removes old entries, if it does not exist. Any number of processes may do so concurrently.
   *
   * @throws {ReceiverOptionError} `OPTION_INVALID`
   * @throws {ReceiverStoreError} `STORE_UNAVAILABLE`
   */
  static async open(db: Db, options: MongoLoggedOutStoreOptions = {}): Promise<MongoLoggedOutStore> {
    requireKnownOptions(options, ['collectionName', 'timeoutMs'])
    return new MongoLoggedOutStore(
      await ExpiringCollection.open<LoggedOutDocument>(db, { collectionName: 'logged_out_sessions', ...options }),
    )
  }

  private constructor(entries: ExpiringCollection<LoggedOutDocument>) {
    this.#entries = entries
  }

  async remember(entries: readonly LoggedOutEntry[]): Promise<void> {
    await Promise.all(entries.map((entry) => this.#remember(entry)))
  }

  async recall(keys: readonly string[]): Promise<readonly (number | undefined)[]> {
    const found = await this.#entries.run((entries, options) =>
      entries.find({ _id: { $in: [...keys] } }, options).toArray(),
    )
    const times = new Map(found.map(({ _id, loggedOutAt }) => [_id, loggedOutAt]))
    return keys.map((key) => times.get(key))
  }

  async #remember({ key, loggedOutAt, expiresAt }: LoggedOutEntry): Promise<void> {
    const write = (): Promise<unknown> =>
      this.#entries.run((entries, options) =>
        entries.updateOne(
          { _id: key },
          { $max: { loggedOutAt, removeAt: removeAt(expiresAt) } },
          { upsert: true, ...options },
        ),
      )
    try {
      await write()
    } catch (error) {
      if (!isDuplicateKey(error)) throw error
      await write() // two upserts were concurrent: now the document exists
    }
  }
}
