import { positiveInteger, requireKnownOptions } from '../option-error.ts'
import { ReceiverStoreError } from '../receiver-store-error.ts'
import type { LoggedOutEntry, LoggedOutStore } from './logged-out-store.ts'

const SWEEP_EVERY_SECONDS = 60

/**
 * A {@link LoggedOutStore} in memory, for tests and for an RP that runs as one process and whose sessions do not outlive
 * it. Its size is bounded by expiry and by `maxEntries`. An expired entry is removed within a minute, at the next logout.
 * An entry takes about 150 bytes. When the store is full, further logouts are rejected with `STORE_FULL`: they are answered
 * with 503, and the OP sends them again. Evicting an entry instead would make its session valid again.
 */
export class MemoryLoggedOutStore implements LoggedOutStore {
  readonly #entries: Map<string, Pick<LoggedOutEntry, 'loggedOutAt' | 'expiresAt'>> = new Map()
  readonly #maxEntries: number
  #nextSweep = Number.NEGATIVE_INFINITY

  /** @param options `maxEntries`: the limit; a logout adds up to two entries, for its session and its user. Default 1,000,000 */
  constructor(options: { maxEntries?: number } = {}) {
    requireKnownOptions(options, ['maxEntries'])
    this.#maxEntries = positiveInteger('maxEntries', options.maxEntries, 1_000_000)
  }

  /** The number of stored entries, including expired ones that were not removed yet. */
  get size(): number {
    return this.#entries.size
  }

  async remember(entries: readonly LoggedOutEntry[]): Promise<void> {
    for (const { key, loggedOutAt, expiresAt, now } of entries) {
      this.#sweep(now)
      const existing = this.#entries.get(key)
      if (existing === undefined && this.#entries.size >= this.#maxEntries) {
        const message = `the in-memory store of logged-out sessions is full (${this.#maxEntries} entries): use a shared store`
        throw new ReceiverStoreError(message, { code: 'STORE_FULL' })
      }
      this.#entries.set(key, {
        loggedOutAt: Math.max(loggedOutAt, existing?.loggedOutAt ?? loggedOutAt),
        expiresAt: Math.max(expiresAt, existing?.expiresAt ?? expiresAt),
      })
    }
  }

  async recall(keys: readonly string[]): Promise<readonly (number | undefined)[]> {
    return keys.map((key) => this.#entries.get(key)?.loggedOutAt)
  }

  #sweep(now: number): void {
    if (now < this.#nextSweep) return
    this.#nextSweep = now + SWEEP_EVERY_SECONDS
    for (const [key, { expiresAt }] of this.#entries) {
      if (expiresAt <= now) this.#entries.delete(key)
    }
  }
}
