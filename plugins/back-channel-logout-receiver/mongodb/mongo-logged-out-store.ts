import type { Db } from 'mongodb'
import { knownOptions } from '../option-error.ts'
import type { LoggedOutEntry, LoggedOutStore } from '../sessions/logged-out-store.ts'
import { type Expiring, ExpiringCollection, isDuplicate, removeAt } from './expiring-collection.ts'

export interface MongoLoggedOutStoreOptions {
  /** Default `logged_out_sessions`. */
  collectionName?: string
  /** How long one call to MongoDB may take before it counts as unreachable, in milliseconds. Default 3000. */
  timeoutMs?: number
}

interface LoggedOutDocument extends Expiring {
  readonly loggedOutAt: number
}

/**
 * A `LoggedOutStore` for an RP that runs as several processes: a logout that was answered with 200 is confirmed
 * by a majority, and every process sees it with its next request. Each request of a logged-in user costs one `find` of
 * two ids on the primary.
 */
export class MongoLoggedOutStore implements LoggedOutStore {
  readonly #entries: ExpiringCollection<LoggedOutDocument>

  /**
   * Makes the index that removes old entries, if it is not there. Any number of processes may do so at once.
   *
   * @throws {ReceiverOptionError} `OPTION_INVALID`
   * @throws {ReceiverStoreError} `STORE_UNAVAILABLE`
   */
  static async open(db: Db, options: MongoLoggedOutStoreOptions = {}): Promise<MongoLoggedOutStore> {
    knownOptions(options, ['collectionName', 'timeoutMs'])
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
    const found = await this.#entries.ask((entries, options) =>
      entries.find({ _id: { $in: [...keys] } }, options).toArray(),
    )
    const times = new Map(found.map(({ _id, loggedOutAt }) => [_id, loggedOutAt]))
    return keys.map((key) => times.get(key))
  }

  async #remember({ key, loggedOutAt, expiresAt }: LoggedOutEntry): Promise<void> {
    const write = (): Promise<unknown> =>
      this.#entries.ask((entries, options) =>
        entries.updateOne(
          { _id: key },
          { $max: { loggedOutAt, removeAt: removeAt(expiresAt) } },
          { upsert: true, ...options },
        ),
      )
    try {
      await write()
    } catch (error) {
      if (!isDuplicate(error)) throw error
      await write() // two upserts met: by now there is something to update
    }
  }
}
