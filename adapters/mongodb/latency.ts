/** The latest durations of inserts: how long a writer may take that is merely slow. */
export class Latency {
  readonly #samples: number[] = []
  #next = 0

  record(ms: number): void {
    this.#samples[this.#next] = ms
    this.#next = (this.#next + 1) % 256
  }

  /** The 99th percentile in milliseconds; 0 while nothing is known. */
  get p99(): number {
    const sorted = [...this.#samples].sort((a, b) => a - b)
    return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0
  }
}
