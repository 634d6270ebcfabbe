import type { Attributes, NewSpan, Reading, RecordedName, Span, Telemetry } from '../../lib/index.ts'

export interface Measurement {
  readonly instrument: RecordedName
  readonly value: number
  readonly attributes: Attributes
}

export interface KeptSpan extends NewSpan {
  readonly attributes: Attributes
  readonly failed?: string
  readonly rejected?: unknown
}

/** Telemetry that keeps what it is told. */
export class KeptTelemetry implements Telemetry {
  isOff = false
  readonly measurements: Measurement[] = []
  /** Spans that have ended, in the order of their ends. */
  readonly spans: KeptSpan[] = []
  readonly observed: Set<() => Promise<readonly Reading[]>> = new Set()
  /** The trace context of what runs. */
  trace: string | undefined

  async span<T>(begun: NewSpan, work: (span: Span) => Promise<T>): Promise<T> {
    let kept: KeptSpan = { ...begun, attributes: { ...begun.attributes } }
    const span: Span = {
      set: (attributes) => {
        kept = { ...kept, attributes: { ...kept.attributes, ...attributes } }
      },
      fail: (failed) => {
        kept = { ...kept, failed }
      },
    }
    try {
      return await work(span)
    } catch (rejected) {
      kept = { ...kept, rejected }
      throw rejected
    } finally {
      this.spans.push(kept)
    }
  }

  traceparent(): string | undefined {
    return this.trace
  }

  record(instrument: RecordedName, value: number, attributes: Attributes = {}): void {
    this.measurements.push({ instrument, value, attributes })
  }

  observe(read: () => Promise<readonly Reading[]>): () => void {
    this.observed.add(read)
    return () => this.observed.delete(read)
  }

  /** What was recorded under the name, without what the name begins with. */
  of(name: string): Measurement[] {
    return this.measurements.filter(({ instrument }) => instrument.endsWith(name))
  }

  /** All gauges, read now. */
  async readings(): Promise<Reading[]> {
    return (await Promise.all([...this.observed].map((read) => read()))).flat()
  }
}
