import { type BatchObservableCallback, diag, type Meter, type ObservableGauge } from '@opentelemetry/api'
import { inTime } from '../../lib/in-time.ts'
import { type Clock, type GaugeName, INSTRUMENTS, type Reading } from '../../lib/index.ts'

/** How long a collector waits for a reading, in milliseconds. */
const READING_MS = 10_000

/** So many times as long as a reading took no other one is made: readings take the database a tenth of its time at most. */
const REST = 10

/**
 * Gauges that are read when somebody collects. Collectors that come at once, or soon after one another, share a reading:
 * their number costs the database nothing. One that fails, or takes too long, shows nothing; and while it takes too long
 * there is no other one beside it.
 */
export class Gauges {
  readonly #meter: () => Meter
  readonly #clock: Clock
  readonly #everyMs: number
  #instruments: ReadonlyMap<GaugeName, ObservableGauge> | undefined

  constructor(meter: () => Meter, clock: Clock, everyMs: number) {
    this.#meter = meter
    this.#clock = clock
    this.#everyMs = everyMs
  }

  /** Returns what ends that. */
  observe(read: () => Promise<readonly Reading[]>): () => void {
    const meter = this.#meter()
    this.#instruments ??= gaugesOf(meter)
    const instruments = this.#instruments
    const shared = new SharedReading(read, this.#clock, this.#everyMs)
    const callback: BatchObservableCallback = async (result) => {
      for (const { instrument, value, attributes = {} } of await shared.inTime()) {
        const gauge = instruments.get(instrument)
        if (gauge) result.observe(gauge, value, attributes)
      }
    }
    const gauges = [...instruments.values()]
    meter.addBatchObservableCallback(callback, gauges)
    return () => meter.removeBatchObservableCallback(callback, gauges)
  }
}

function gaugesOf(meter: Meter): Map<GaugeName, ObservableGauge> {
  const gauges = new Map<GaugeName, ObservableGauge>()
  for (const [name, { kind, unit, description }] of Object.entries(INSTRUMENTS)) {
    if (kind === 'gauge') gauges.set(name as GaugeName, meter.createObservableGauge(name, { unit, description }))
  }
  return gauges
}

/** The same reading for all who ask within a while. */
class SharedReading {
  readonly #read: () => Promise<readonly Reading[]>
  readonly #clock: Clock
  readonly #everyMs: number
  #last: Promise<readonly Reading[]> | undefined
  /** When another one may be made, by the monotonic clock. While one is under way: never. */
  #againAt = 0

  constructor(read: () => Promise<readonly Reading[]>, clock: Clock, everyMs: number) {
    this.#read = read
    this.#clock = clock
    this.#everyMs = everyMs
  }

  /** Never rejects. Nothing: it failed, or takes too long. */
  async inTime(): Promise<readonly Reading[]> {
    if (!this.#last || this.#clock.monotonic() >= this.#againAt) this.#last = this.#make()
    const reading = this.#last
    if (await inTime(reading, this.#clock, READING_MS)) return reading
    diag.warn(`oidc-provider-eventstore: gauges could not be read within ${READING_MS} ms`)
    return []
  }

  async #make(): Promise<readonly Reading[]> {
    const began = this.#clock.monotonic()
    this.#againAt = Number.POSITIVE_INFINITY
    try {
      return await this.#read()
    } catch (error) {
      diag.warn('oidc-provider-eventstore: gauges could not be read', error)
      return []
    } finally {
      const now = this.#clock.monotonic()
      this.#againAt = Math.max(began + this.#everyMs, now + REST * (now - began))
    }
  }
}
