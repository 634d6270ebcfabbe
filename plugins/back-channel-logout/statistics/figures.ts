import { Histogram } from './histogram.ts'
import type { LogoutFigures } from './statistics.ts'

/** What is counted one by one. */
export type Counter = 'logouts' | 'confirmed' | 'attemptsFailed' | 'rejected' | 'abandoned' | 'superseded'

/** Figures while they are counted. */
export class Figures {
  readonly timeToLogout: Histogram = new Histogram()
  readonly latency: Histogram = new Histogram()
  readonly #counts: Record<Counter, number> = {
    logouts: 0,
    confirmed: 0,
    attemptsFailed: 0,
    rejected: 0,
    abandoned: 0,
    superseded: 0,
  }

  count(what: Counter): void {
    this.#counts[what] += 1
  }

  /** What was counted into these as well. */
  subtract(other: Figures): void {
    for (const what of Object.keys(this.#counts) as Counter[]) this.#counts[what] -= other.#counts[what]
    this.timeToLogout.subtract(other.timeToLogout)
    this.latency.subtract(other.latency)
  }

  /** How many attempts were made that the log tells of. */
  get attempts(): number {
    return this.#counts.confirmed + this.#counts.attemptsFailed + this.#counts.rejected
  }

  /** The same as plain values. */
  told(): LogoutFigures {
    const [timeToLogoutMs, latencyMs] = [this.timeToLogout.percentiles(), this.latency.percentiles()]
    return { ...this.#counts, ...(timeToLogoutMs && { timeToLogoutMs }), ...(latencyMs && { latencyMs }) }
  }
}
