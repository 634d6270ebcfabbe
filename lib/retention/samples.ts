import type { Json } from '../log/commit.ts'

/** A moment, and where the log ended then. */
export interface Sample {
  /** The store's time, milliseconds since 1970. */
  readonly at: number
  readonly position: number
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** How far samples of an age are apart, in milliseconds: the older the less it matters. About 350 reach back six years. */
const APART: readonly { readonly upToMs: number; readonly apartMs: number }[] = [
  { upToMs: 2 * DAY_MS, apartMs: HOUR_MS },
  { upToMs: 60 * DAY_MS, apartMs: DAY_MS },
  { upToMs: Number.POSITIVE_INFINITY, apartMs: 10 * DAY_MS },
]

/** The newest two are no nearer than this. */
const NEAREST_MS = 600_000

const MOST = 400

/**
 * Where the log ended when, as retention itself has seen it: how old a position is at least. The times in commits are those
 * of their writers' clocks, and prove nothing.
 */
export class Samples {
  readonly #samples: readonly Sample[]

  /** @param samples - ascending */
  constructor(samples: readonly Sample[] = []) {
    this.#samples = samples
  }

  /** The oldest. */
  get first(): Sample | undefined {
    return this.#samples[0]
  }

  static fromJson(json: Json | undefined): Samples {
    if (!Array.isArray(json)) return new Samples()
    return new Samples((json as [number, number][]).map(([at, position]) => ({ at, position })))
  }

  toJson(): Json {
    return this.#samples.map(({ at, position }) => [at, position])
  }

  /**
   * With one more, and without those that are closer together than is of use. What a clock that was ahead has left is
   * dropped; one that went back adds nothing.
   */
  with(sample: Sample): Samples {
    const known = this.#samples.filter(({ at, position }) => at <= sample.at && position <= sample.position)
    const last = known.at(-1)
    if (last && sample.at - last.at < NEAREST_MS) return new Samples(known)
    const kept: Sample[] = []
    for (const one of known) {
      const before = kept.at(-1)
      if (!before || one.at - before.at >= apartMs(sample.at - one.at)) kept.push(one)
    }
    return new Samples([...kept, sample].slice(-MOST))
  }

  /** The highest position that is at least so old, in milliseconds before `now`; 0: none is known to be. */
  olderThan(ms: number, now: number): number {
    return this.#samples.findLast(({ at }) => now - at >= ms)?.position ?? 0
  }

  /** Where the log ended at a time, or later; undefined: that is not known, or not yet. */
  endAt(time: number): number | undefined {
    return this.#samples.find(({ at }) => at >= time)?.position
  }

  /** Where the log ended at least so long after it held the position; undefined: that is not known, or not yet. */
  endAfter(position: number, ms: number): number | undefined {
    const seen = this.#samples.find((sample) => sample.position >= position)
    return seen && this.#samples.find(({ at }) => at - seen.at >= ms)?.position
  }
}

function apartMs(age: number): number {
  return APART.find(({ upToMs }) => age <= upToMs)?.apartMs ?? DAY_MS
}
