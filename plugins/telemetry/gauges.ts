import { type BatchObservableCallback, diag, type Meter, type ObservableGauge } from '@opentelemetry/api'
import { inTime } from '../../lib/in-time.ts'
import { type Clock, INSTRUMENTS, type InstrumentName, type Reading } from '../../lib/index.ts'

/** How long a reading may take, in milliseconds. */
const READING_MS = 10_000

/**
 * Gauges that are read when somebody collects. Collectors that come at once, or soon after one another, share a reading:
 * their number costs the database nothing. One that fails, or takes too long, shows nothing.
 */
export class Gauges {
  readonly #meter: () => Meter
  readonly #clock: Clock
  readonly #everyMs: number
  #instruments: ReadonlyMap<InstrumentName, ObservableGauge> | undefined

  constructor(meter: () => Meter, clock: Clock, everyMs: number) {
    this.#meter = meter
    this.#clock = clock
    this.#everyMs = everyMs
  }

  /** Returns what ends that. */
  observe(read: () => Promise<readonly Reading[]>): () => void {
    const meter = this.#meter()
    this.#instruments ??= new Map(
      Object.entries(INSTRUMENTS).flatMap(([name, { kind, unit, description }]) =>
        kind === 'gauge' ? [[name as InstrumentName, meter.createObservableGauge(name, { unit, description })]] : [],
      ),
    )
    const instruments = this.#instruments
    const shared = this.#shared(read)
    const callback: BatchObservableCallback = async (result) => {
      for (const { instrument, value, attributes = {} } of await shared()) {
        const gauge = instruments.get(instrument)
        if (gauge) result.observe(gauge, value, attributes)
      }
    }
    const gauges = [...instruments.values()]
    meter.addBatchObservableCallback(callback, gauges)
    return () => meter.removeBatchObservableCallback(callback, gauges)
  }

  /** The same reading for all who ask within a while. Never rejects. */
  #shared(read: () => Promise<readonly Reading[]>): () => Promise<readonly Reading[]> {
    let last: { readonly at: number; readonly readings: Promise<readonly Reading[]> } | undefined
    return () => {
      const now = this.#clock.monotonic()
      if (!last || now - last.at >= this.#everyMs) last = { at: now, readings: this.#read(read) }
      return last.readings
    }
  }

  async #read(read: () => Promise<readonly Reading[]>): Promise<readonly Reading[]> {
    try {
      const reading = read()
      if (await inTime(reading, this.#clock, READING_MS)) return await reading
      diag.warn(`oidc-provider-eventstore: gauges could not be read within ${READING_MS} ms`)
    } catch (error) {
      diag.warn('oidc-provider-eventstore: gauges could not be read', error)
    }
    return []
  }
}
