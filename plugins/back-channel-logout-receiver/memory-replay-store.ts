import { createHash } from 'node:crypto'
import { atLeastOne, atLeastZero, knownOptions } from './option-error.ts'
import { ReceiverStoreError } from './receiver-store-error.ts'
import type { LogoutTokenReplayStore, ReplayEntry, ReplayReservation } from './replay-store.ts'

interface Held {
  state: 'reserved' | 'used'
  /** Seconds since the epoch after which this entry no longer counts. */
  until: number
  expiresAt: number
}

const SWEEP_EVERY_SECONDS = 10

/**
 * A {@link LogoutTokenReplayStore} inside one process: right for an RP that runs as one process, and for tests.
 * Several processes each have a memory of their own, so a token can be used once in each.
 *
 * Bounded by expiry: an entry goes when its token could no longer be accepted, at the latest ten seconds after the
 * next `reserve`; and by `maxEntries`, each of about 200 bytes whatever the length of the jti. Only tokens with a good
 * signature come here, so the OP's rate is the limit, not an attacker's. A token that finds no room is rejected with
 * `STORE_FULL`, so that it is answered with 503 and the OP sends it again, since an entry that gave way to it would let
 * its own token be used twice.
 */
export class MemoryReplayStore implements LogoutTokenReplayStore {
  readonly #leaseSeconds: number
  readonly #maxEntries: number
  readonly #held: Map<string, Held> = new Map()
  #nextSweep = Number.NEGATIVE_INFINITY

  /**
   * @param options `leaseSeconds`: how long a reservation without an end blocks its token (default 60); `maxEntries`: how
   *   many tokens are remembered (default 100,000, which is 300 a second for as long as a token can be accepted)
   */
  constructor(options: { leaseSeconds?: number; maxEntries?: number } = {}) {
    knownOptions(options, ['leaseSeconds', 'maxEntries'])
    this.#maxEntries = atLeastOne('maxEntries', options.maxEntries, 100_000)
    this.#leaseSeconds = atLeastZero('leaseSeconds', options.leaseSeconds, 60)
  }

  /** Tokens remembered at this moment, lapsed ones that were not yet swept included. */
  get size(): number {
    return this.#held.size
  }

  async reserve({ issuer, jti, now, expiresAt }: ReplayEntry): Promise<ReplayReservation> {
    this.#sweep(now)
    const key = createHash('sha256')
      .update(JSON.stringify([issuer, jti]))
      .digest('base64url')
    const other = this.#held.get(key)
    if (other !== undefined && other.until > now) {
      return { outcome: other.state === 'used' ? 'used' : 'in_progress' }
    }
    if (other === undefined && this.#held.size >= this.#maxEntries) {
      const message = `the memory of used logout tokens holds its ${this.#maxEntries} entries: use a shared store`
      throw new ReceiverStoreError(message, { code: 'STORE_FULL' })
    }
    const mine: Held = { state: 'reserved', until: Math.min(now + this.#leaseSeconds, expiresAt), expiresAt }
    this.#held.set(key, mine)
    return {
      outcome: 'reserved',
      commit: async () => {
        mine.state = 'used'
        mine.until = expiresAt
      },
      release: async () => {
        if (this.#held.get(key) === mine && mine.state === 'reserved') this.#held.delete(key)
      },
    }
  }

  #sweep(now: number): void {
    if (now < this.#nextSweep) return
    this.#nextSweep = now + SWEEP_EVERY_SECONDS
    for (const [key, held] of this.#held) {
      if (held.expiresAt <= now) this.#held.delete(key)
    }
  }
}
