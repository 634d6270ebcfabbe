/** So many durations are kept, and looked at again after so many new ones. */
const SAMPLES = 256
const COMPUTED_EVERY = 32

/** The latest durations of inserts: how long a writer may take that is merely slow. */
export class Latency {
  readonly #samples: number[] = []
  #next = 0
  #p99: number | undefined

  record(ms: number): void {
    this.#samples[this.#next] = ms
    this.#next = (this.#next + 1) % SAMPLES
    const isFirst = this.#samples.length < COMPUTED_EVERY
    if (isFirst || this.#next % COMPUTED_EVERY === 0) this.#p99 = undefined
  }

  /** The 99th percentile in milliseconds; 0 while nothing is known. Computed anew after some samples, not for each. */
  get p99(): number {
    this.#p99 ??= this.#compute()
    return this.#p99
  }

  #compute(): number {
    const sorted = [...this.#samples].sort((a, b) => a - b)
    return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0
  }
}
