import { createHash, randomBytes } from 'node:crypto'
import type { Db } from 'mongodb'
import { nonNegativeNumber, requireKnownOptions } from '../option-error.ts'
import type { LogoutTokenReplayStore, ReplayEntry, ReplayReservation } from '../replay-store.ts'
import { ExpiringCollection, type ExpiringDocument, isDuplicateKey, removeAt } from './expiring-collection.ts'

export interface MongoReplayStoreOptions {
  /** Default `logout_token_replays`. It must not be sharded, unless by `_id`, since uniqueness holds per shard only. */
  collectionName?: string
  /**
   * How long a reservation blocks its token after its process has crashed, in seconds. Default 60. It has to be longer than
   * `onLogout` takes; otherwise two processes may run it concurrently.
   */
  leaseSeconds?: number
  /** The time limit of one command to MongoDB, in milliseconds. Default 3000. */
  timeoutMs?: number
}

interface ReplayDocument extends ExpiringDocument {
  readonly state: 'reserved' | 'used'
  /** Identifies the call of `reserve` that holds the reservation. */
  readonly holder: string
  /** Seconds since the epoch, by the clock of the verifier, from which on the reservation, or the use, has expired. */
  readonly until: number
}

/** How often a document that changes between two commands is tried. */
const ATTEMPTS = 3

/**
 * A `LogoutTokenReplayStore` for an RP that runs as several processes.
 *
 * A token is one document, whose `_id` is a digest of issuer and jti: the unique index lets one of several concurrent
 * reservations succeed. It is valid until `until`, by the verifier's clock, whether MongoDB has removed it or not. MongoDB
 * removes it an hour after its token has expired, so that a server whose clock is ahead does not remove it too early. If
 * the clocks of processes differ, a lease may be considered expired too early, and `onLogout` may run twice.
 *
 * Its methods reject with a {@link ReceiverStoreError} when MongoDB does not respond in time, has no primary, refuses, or
 * cannot confirm a write by a majority: the receiver answers 503. A reservation with an unknown outcome expires with its
 * lease.
 */
export class MongoReplayStore implements LogoutTokenReplayStore {
  readonly #tokens: ExpiringCollection<ReplayDocument>
  readonly #leaseSeconds: number

  /**
   * Creates the index that removes old documents, if it does not exist. Any number of processes may do so concurrently.
   *
   * @throws {ReceiverOptionError} `OPTION_INVALID`
   * @throws {ReceiverStoreError} `STORE_UNAVAILABLE`
   */
  static async open(db: Db, options: MongoReplayStoreOptions = {}): Promise<MongoReplayStore> {
    requireKnownOptions(options, ['collectionName', 'leaseSeconds', 'timeoutMs'])
    const { collectionName = 'logout_token_replays', timeoutMs } = options
    const leaseSeconds = nonNegativeNumber('leaseSeconds', options.leaseSeconds, 60)
    const tokens = await ExpiringCollection.open<ReplayDocument>(db, {
      collectionName,
      ...(timeoutMs !== undefined && { timeoutMs }),
    })
    return new MongoReplayStore(tokens, leaseSeconds)
  }

  private constructor(tokens: ExpiringCollection<ReplayDocument>, leaseSeconds: number) {
    this.#tokens = tokens
    this.#leaseSeconds = leaseSeconds
  }

  async reserve({ issuer, jti, now, expiresAt }: ReplayEntry): Promise<ReplayReservation> {
    const _id = createHash('sha256')
      .update(JSON.stringify([issuer, jti]))
      .digest('base64url')
    const holder = randomBytes(12).toString('base64url')
    const until = Math.min(now + this.#leaseSeconds, expiresAt)
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const reserved = { state: 'reserved' as const, holder, until, removeAt: removeAt(expiresAt) }
      if (await this.#tryReserve(_id, now, reserved)) return this.#reservation(_id, holder, expiresAt)
      const existing = await this.#tokens.run((tokens, options) => tokens.findOne({ _id }, options))
      // The driver has retried a write that had been executed.
      if (existing?.holder === holder) return this.#reservation(_id, holder, expiresAt)
      if (existing !== null && existing.until > now)
        return { outcome: existing.state === 'used' ? 'used' : 'in_progress' }
    }
    return { outcome: 'in_progress' }
  }

  /** One command: inserts the document, or replaces one that has expired; false when the unique index prevents it. */
  async #tryReserve(_id: string, now: number, reserved: Omit<ReplayDocument, '_id'>): Promise<boolean> {
    try {
      const { matchedCount, upsertedCount } = await this.#tokens.run((tokens, options) =>
        tokens.updateOne({ _id, until: { $lte: now } }, { $set: reserved }, { upsert: true, ...options }),
      )
      return matchedCount + upsertedCount === 1
    } catch (error) {
      if (isDuplicateKey(error)) return false
      throw error
    }
  }

  /** After the lease the document may have another holder; then these commands do not match it. */
  #reservation(_id: string, holder: string, expiresAt: number): ReplayReservation {
    return {
      outcome: 'reserved',
      commit: async () => {
        const used = { state: 'used' as const, until: expiresAt }
        await this.#tokens.run((tokens, options) => tokens.updateOne({ _id, holder }, { $set: used }, options))
      },
      release: async () => {
        await this.#tokens.run((tokens, options) => tokens.deleteOne({ _id, holder, state: 'reserved' }, options))
      },
    }
  }
}
