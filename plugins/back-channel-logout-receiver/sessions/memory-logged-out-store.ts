import { atLeastOne, knownOptions } from '../option-error.ts'
import { ReceiverStoreError } from '../receiver-store-error.ts'
import type { LoggedOutEntry, LoggedOutStore } from './logged-out-store.ts'

const SWEEP_EVERY_SECONDS = 60

/**
 * A {@link LoggedOutStore} inside one process: for tests, and for an RP that runs as one process and whose sessions do
 * not outlive it. Bounded by expiry: an entry goes with the first logout that comes a minute after it expired; and by
 * `maxEntries`, each of about 150 bytes: a logout that finds no room is rejected with `STORE_FULL`, so that it is answered
 * with 503 and the OP sends it again, since an entry that gave way to it would bring its session back.
 */
export class MemoryLoggedOutStore implements LoggedOutStore {
  readonly #kept: Map<string, Pick<LoggedOutEntry, 'loggedOutAt' | 'expiresAt'>> = new Map()
  readonly #maxEntries: number
  #nextSweep = Number.NEGATIVE_INFINITY

  /** @param options `maxEntries`: of which a logout takes up to two, its session's and its user's. Default 1,000,000 */
  constructor(options: { maxEntries?: number } = {}) {
    knownOptions(options, ['maxEntries'])
    this.#maxEntries = atLeastOne('maxEntries', options.maxEntries, 1_000_000)
  }

  /** Entries remembered at this moment, expired ones that were not yet swept included. */
  get size(): number {
    return this.#kept.size
  }

  async remember(entries: readonly LoggedOutEntry[]): Promise<void> {
    for (const { key, loggedOutAt, expiresAt, now } of entries) {
      this.#sweep(now)
      const kept = this.#kept.get(key)
      if (kept === undefined && this.#kept.size >= this.#maxEntries) {
        const message = `the memory of logged-out sessions holds its ${this.#maxEntries} entries: use a shared store`
        throw new ReceiverStoreError(message, { code: 'STORE_FULL' })
      }
      this.#kept.set(key, {
        loggedOutAt: Math.max(loggedOutAt, kept?.loggedOutAt ?? loggedOutAt),
        expiresAt: Math.max(expiresAt, kept?.expiresAt ?? expiresAt),
      })
    }
  }

  async recall(keys: readonly string[]): Promise<readonly (number | undefined)[]> {
    return keys.map((key) => this.#kept.get(key)?.loggedOutAt)
  }

  #sweep(now: number): void {
    if (now < this.#nextSweep) return
    this.#nextSweep = now + SWEEP_EVERY_SECONDS
    for (const [key, { expiresAt }] of this.#kept) {
      if (expiresAt <= now) this.#kept.delete(key)
    }
  }
}
