import type { Reading } from './telemetry.ts'

/** So many series are remembered that were told. */
const REMEMBERED = 1_000

/**
 * SDKs go on showing the last value of a series that is not told any more: an RP that is owed nothing would be owed for ever
 * what it was owed last. So a series that was told and is not any more is told as 0. For readings that are whole: what could
 * not be read is not 0.
 */
export class GoneSeries {
  /** Those that were told last come last. */
  readonly #told = new Map<string, Reading>()

  /** A reading, and zeros for what was told before and is not in it. */
  withGone(readings: readonly Reading[]): readonly Reading[] {
    for (const { instrument, attributes = {} } of readings) {
      const key = JSON.stringify([instrument, ...Object.entries(attributes).sort()])
      this.#told.delete(key)
      this.#told.set(key, { instrument, attributes, value: 0 })
    }
    const gone = [...this.#told.values()].slice(0, Math.max(0, this.#told.size - readings.length))
    for (const key of this.#told.keys()) {
      if (this.#told.size <= REMEMBERED) break
      this.#told.delete(key)
    }
    return [...gone, ...readings]
  }
}
