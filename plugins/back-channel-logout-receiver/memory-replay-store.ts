import { atLeastZero, knownOptions } from './option-error.ts'
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
 * next `reserve`. Only tokens with a good signature come here, so the OP's rate is the limit, not an attacker's.
 */
export class MemoryReplayStore implements LogoutTokenReplayStore {
  readonly #leaseSeconds: number
  readonly #held: Map<string, Held> = new Map()
  #nextSweep = Number.NEGATIVE_INFINITY

  /** @param options `leaseSeconds`: how long a reservation without an end blocks its token (default 60) */
  constructor(options: { leaseSeconds?: number } = {}) {
    knownOptions(options, ['leaseSeconds'])
    this.#leaseSeconds = atLeastZero('leaseSeconds', options.leaseSeconds, 60)
  }

  /** Tokens remembered at this moment, lapsed ones that were not yet swept included. */
  get size(): number {
    return this.#held.size
  }

  async reserve({ issuer, jti, now, expiresAt }: ReplayEntry): Promise<ReplayReservation> {
    this.#sweep(now)
    const key = JSON.stringify([issuer, jti])
    const other = this.#held.get(key)
    if (other !== undefined && other.until > now) {
      return { outcome: other.state === 'used' ? 'used' : 'in_progress' }
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
