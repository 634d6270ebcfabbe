import type { LoggedOutEntry, LoggedOutStore } from './logged-out-store.ts'

const SWEEP_EVERY_SECONDS = 60

/**
 * A {@link LoggedOutStore} inside one process: for tests, and for an RP that runs as one process and whose sessions do
 * not outlive it. Bounded by expiry: an entry goes with the first logout that comes a minute after it expired.
 */
export class MemoryLoggedOutStore implements LoggedOutStore {
  readonly #kept: Map<string, Pick<LoggedOutEntry, 'loggedOutAt' | 'expiresAt'>> = new Map()
  #nextSweep = Number.NEGATIVE_INFINITY

  /** Entries remembered at this moment, expired ones that were not yet swept included. */
  get size(): number {
    return this.#kept.size
  }

  async remember(entries: readonly LoggedOutEntry[]): Promise<void> {
    for (const { key, loggedOutAt, expiresAt, now } of entries) {
      this.#sweep(now)
      const kept = this.#kept.get(key)
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
