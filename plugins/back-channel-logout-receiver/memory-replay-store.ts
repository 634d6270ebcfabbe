import { createHash } from 'node:crypto'
import { nonNegativeNumber, positiveInteger, requireKnownOptions } from './option-error.ts'
import { ReceiverStoreError } from './receiver-store-error.ts'
import type { LogoutTokenReplayStore, ReplayEntry, ReplayReservation } from './replay-store.ts'

interface StoredToken {
  state: 'reserved' | 'used'
  /** Seconds since the epoch from which on the reservation, or the use, has expired. */
  until: number
  expiresAt: number
}

const SWEEP_EVERY_SECONDS = 10

/**
 * A {@link LogoutTokenReplayStore} in memory, for tests and for an RP that runs as one process. With several processes a
 * token can be used once in each of them.
 *
 * Its size is bounded by expiry and by `maxEntries`. An entry is removed when its token could no longer be accepted: at
 * the first `reserve` of the next ten seconds or later. An entry takes about 200 bytes, whatever the length of the jti.
 * Only tokens with a valid signature get here, so the number depends on the OP and not on an attacker. When the store is
 * full, further tokens are rejected with `STORE_FULL`: they are answered with 503, and the OP sends them again. Evicting
 * an entry instead would let its token be used twice.
 */
export class MemoryReplayStore implements LogoutTokenReplayStore {
  readonly #leaseSeconds: number
  readonly #maxEntries: number
  readonly #tokens: Map<string, StoredToken> = new Map()
  #nextSweep = Number.NEGATIVE_INFINITY

  /**
   * @param options `leaseSeconds`: how long a reservation that is neither committed nor released blocks its token (default
   *   60); `maxEntries`: how many tokens are stored (default 100,000: 300 a second, for as long as a token can be accepted)
   */
  constructor(options: { leaseSeconds?: number; maxEntries?: number } = {}) {
    requireKnownOptions(options, ['leaseSeconds', 'maxEntries'])
    this.#maxEntries = positiveInteger('maxEntries', options.maxEntries, 100_000)
    this.#leaseSeconds = nonNegativeNumber('leaseSeconds', options.leaseSeconds, 60)
  }

  /** The number of stored tokens, including expired ones that were not removed yet. */
  get size(): number {
    return this.#tokens.size
  }

  async reserve({ issuer, jti, now, expiresAt }: ReplayEntry): Promise<ReplayReservation> {
    this.#sweep(now)
    const key = createHash('sha256')
      .update(JSON.stringify([issuer, jti]))
      .digest('base64url')
    const existing = this.#tokens.get(key)
    if (existing !== undefined && existing.until > now) {
      return { outcome: existing.state === 'used' ? 'used' : 'in_progress' }
    }
    if (existing === undefined && this.#tokens.size >= this.#maxEntries) {
      const message = `the in-memory store of used logout tokens is full (${this.#maxEntries} entries): use a shared store`
      throw new ReceiverStoreError(message, { code: 'STORE_FULL' })
    }
    const reservation: StoredToken = {
      state: 'reserved',
      until: Math.min(now + this.#leaseSeconds, expiresAt),
      expiresAt,
    }
    this.#tokens.set(key, reservation)
    return {
      outcome: 'reserved',
      commit: async () => {
        reservation.state = 'used'
        reservation.until = expiresAt
      },
      release: async () => {
        if (this.#tokens.get(key) === reservation && reservation.state === 'reserved') this.#tokens.delete(key)
      },
    }
  }

  #sweep(now: number): void {
    if (now < this.#nextSweep) return
    this.#nextSweep = now + SWEEP_EVERY_SECONDS
    for (const [key, token] of this.#tokens) {
      if (token.expiresAt <= now) this.#tokens.delete(key)
    }
  }
}
