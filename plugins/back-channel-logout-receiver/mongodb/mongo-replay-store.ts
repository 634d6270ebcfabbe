import { createHash, randomBytes } from 'node:crypto'
import type { Db } from 'mongodb'
import { atLeastZero, knownOptions } from '../option-error.ts'
import type { LogoutTokenReplayStore, ReplayEntry, ReplayReservation } from '../replay-store.ts'
import { type Expiring, ExpiringCollection, isDuplicate, removeAt } from './expiring-collection.ts'

export interface MongoReplayStoreOptions {
  /** Default `logout_token_replays`. Not to be sharded, unless by `_id`: uniqueness holds per shard only. */
  collectionName?: string
  /**
   * How long a reservation blocks its token when the process that made it never comes back, in seconds. Default 60. It
   * has to be longer than `onLogout` takes, or two processes may run it at once.
   */
  leaseSeconds?: number
  /** How long one call to MongoDB may take before it counts as unreachable, in milliseconds. Default 3000. */
  timeoutMs?: number
}

interface ReplayDocument extends Expiring {
  readonly state: 'reserved' | 'used'
  /** Whose reservation it is: one call of `reserve`. */
  readonly holder: string
  /** Seconds since the epoch, by the clock of the verifier, after which the document no longer counts. */
  readonly until: number
}

/** A document that comes and goes between two commands is looked at so often. */
const ATTEMPTS = 3

/**
 * A `LogoutTokenReplayStore` for an RP that runs as several processes.
 *
 * A token is one document, whose `_id` is a digest of issuer and jti: of concurrent reservations the unique index lets
 * one pass. It counts until `until`, by the verifier's clock, whether MongoDB has removed it or not; MongoDB removes it
 * an hour after its token has expired, so that a server whose clock is ahead does not remove it too early. Processes
 * whose clocks differ may at worst take a lease for lapsed too early and run `onLogout` twice.
 *
 * Its calls reject with a {@link ReceiverStoreError} when MongoDB does not answer in time, has no primary, refuses or
 * cannot confirm a write by a majority: the receiver answers 503. A reservation whose outcome is not known lapses with
 * its lease.
 */
export class MongoReplayStore implements LogoutTokenReplayStore {
  readonly #tokens: ExpiringCollection<ReplayDocument>
  readonly #leaseSeconds: number

  /**
   * Makes the index that removes old documents, if it is not there. Any number of processes may do so at once.
   *
   * @throws {ReceiverOptionError} `OPTION_INVALID`
   * @throws {ReceiverStoreError} `STORE_UNAVAILABLE`
   */
  static async open(db: Db, options: MongoReplayStoreOptions = {}): Promise<MongoReplayStore> {
    knownOptions(options, ['collectionName', 'leaseSeconds', 'timeoutMs'])
    const { collectionName = 'logout_token_replays', timeoutMs } = options
    const leaseSeconds = atLeastZero('leaseSeconds', options.leaseSeconds, 60)
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
      const mine = { state: 'reserved' as const, holder, until, removeAt: removeAt(expiresAt) }
      if (await this.#take(_id, now, mine)) return this.#reservation(_id, holder, expiresAt)
      const other = await this.#tokens.ask((tokens, options) => tokens.findOne({ _id }, options))
      // The driver has asked twice, and the first time had been heard.
      if (other?.holder === holder) return this.#reservation(_id, holder, expiresAt)
      if (other !== null && other.until > now) return { outcome: other.state === 'used' ? 'used' : 'in_progress' }
    }
    return { outcome: 'in_progress' }
  }

  /** One command: takes what is not there, or no longer counts; false where the unique index says otherwise. */
  async #take(_id: string, now: number, mine: Omit<ReplayDocument, '_id'>): Promise<boolean> {
    try {
      const { matchedCount, upsertedCount } = await this.#tokens.ask((tokens, options) =>
        tokens.updateOne({ _id, until: { $lte: now } }, { $set: mine }, { upsert: true, ...options }),
      )
      return matchedCount + upsertedCount === 1
    } catch (error) {
      if (isDuplicate(error)) return false
      throw error
    }
  }

  /** Whoever comes after the lease has another holder's name, which these commands do not find. */
  #reservation(_id: string, holder: string, expiresAt: number): ReplayReservation {
    return {
      outcome: 'reserved',
      commit: async () => {
        const used = { state: 'used' as const, until: expiresAt }
        await this.#tokens.ask((tokens, options) => tokens.updateOne({ _id, holder }, { $set: used }, options))
      },
      release: async () => {
        await this.#tokens.ask((tokens, options) => tokens.deleteOne({ _id, holder, state: 'reserved' }, options))
      },
    }
  }
}
