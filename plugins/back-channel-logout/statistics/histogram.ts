import type { Percentiles } from './statistics.ts'

/** Each bucket ends 10 % above the one before. */
const GROWTH = Math.log(1.1)

/** The last bucket: everything that takes longer than about 50 days. */
const LAST = Math.ceil(Math.log(50 * 86_400_000) / GROWTH)

/** Durations in milliseconds, counted in at most 233 buckets, however many there are. */
export class Histogram {
  readonly #counts = new Map<number, number>()

  record(ms: number): void {
    const bucket = ms <= 1 ? 0 : Math.min(LAST, Math.ceil(Math.log(ms) / GROWTH))
    this.#add(bucket, 1)
  }

  /** What was added before. */
  subtract(other: Histogram): void {
    for (const [bucket, count] of other.#counts) this.#add(bucket, -count)
  }

  /** Undefined: nothing was recorded. */
  percentiles(): Percentiles | undefined {
    const buckets = [...this.#counts].sort(([a], [b]) => a - b)
    const count = buckets.reduce((sum, [, some]) => sum + some, 0)
    if (count === 0) return undefined
    return { p50: valueAt(buckets, 0.5 * count), p95: valueAt(buckets, 0.95 * count), count }
  }

  #add(bucket: number, count: number): void {
    const sum = (this.#counts.get(bucket) ?? 0) + count
    if (sum === 0) this.#counts.delete(bucket)
    else this.#counts.set(bucket, sum)
  }
}

/** Where the bucket ends in which the value of this rank lies. */
function valueAt(buckets: readonly (readonly [number, number])[], rank: number): number {
  let seen = 0
  for (const [bucket, count] of buckets) {
    seen += count
    if (seen >= rank) return Math.exp(bucket * GROWTH)
  }
  return 0
}
