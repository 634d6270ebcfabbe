import {
  type Span as ApiSpan,
  type Counter,
  type Histogram,
  type Meter,
  type MeterProvider,
  metrics,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import {
  type Attributes,
  type Clock,
  INSTRUMENTS,
  type InstrumentName,
  type NewSpan,
  type Reading,
  type Span,
  systemClock,
  type Telemetry,
} from '../../lib/index.ts'
import { assertKnownOptions } from '../../lib/known-options.ts'
import { Gauges } from './gauges.ts'
import { spanContextOf, traceparentOf } from './trace-context.ts'

/** Where measurements and traces go. All optional. */
export interface OpenTelemetryOptions {
  /** Default: the global one, as it is when the first measurement is made: register the SDK before. */
  readonly meterProvider?: MeterProvider
  /** Default: the global one. */
  readonly tracerProvider?: TracerProvider
  /**
   * Gauges are read of the database at most once in so many milliseconds, however many collect. Default: 5 s.
   */
  readonly gaugesEveryMs?: number
  readonly clock?: Clock
}

const OPTIONS: ReadonlySet<string> = new Set(['meterProvider', 'tracerProvider', 'gaugesEveryMs', 'clock'])

/** The instrumentation scope of all that is measured and traced. */
const SCOPE = 'oidc-provider-eventstore'

/**
 * Measurements and traces by OpenTelemetry's API: `eventSourced(store, { telemetry: openTelemetry() })`. Without an SDK it
 * does nothing.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Telemetry {
  assertKnownOptions(options, OPTIONS)
  return new OpenTelemetry(options)
}

const KINDS: Readonly<Record<NewSpan['kind'], SpanKind>> = {
  internal: SpanKind.INTERNAL,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
  client: SpanKind.CLIENT,
}

class OpenTelemetry implements Telemetry {
  readonly #meterProvider: MeterProvider | undefined
  readonly #tracer: Tracer
  readonly #counters = new Map<InstrumentName, Counter>()
  readonly #histograms = new Map<InstrumentName, Histogram>()
  readonly #gauges: Gauges

  constructor({ meterProvider, tracerProvider, gaugesEveryMs = 5_000, clock = systemClock }: OpenTelemetryOptions) {
    this.#meterProvider = meterProvider
    this.#tracer = (tracerProvider ?? trace).getTracer(SCOPE)
    this.#gauges = new Gauges(() => this.#meter, clock, gaugesEveryMs)
  }

  span<T>({ name, kind, attributes, links = [] }: NewSpan, work: (span: Span) => Promise<T>): Promise<T> {
    const contexts = links.flatMap((traceparent) => spanContextOf(traceparent) ?? [])
    const options = {
      kind: KINDS[kind],
      ...(attributes && { attributes }),
      links: contexts.map((context) => ({ context })),
    }
    return this.#tracer.startActiveSpan(name, options, async (span) => {
      try {
        return await work(new RunningSpan(span))
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) })
        throw error
      } finally {
        span.end()
      }
    })
  }

  traceparent(): string | undefined {
    const context = trace.getActiveSpan()?.spanContext()
    return context && traceparentOf(context)
  }

  record(instrument: InstrumentName, value: number, attributes: Attributes = {}): void {
    if (INSTRUMENTS[instrument].kind === 'counter') this.#counter(instrument).add(value, attributes)
    else this.#histogram(instrument).record(value, attributes)
  }

  observe(read: () => Promise<readonly Reading[]>): () => void {
    return this.#gauges.observe(read)
  }

  get #meter(): Meter {
    return (this.#meterProvider ?? metrics).getMeter(SCOPE)
  }

  #counter(name: InstrumentName): Counter {
    let counter = this.#counters.get(name)
    if (!counter) {
      const { unit, description } = INSTRUMENTS[name]
      counter = this.#meter.createCounter(name, { unit, description })
      this.#counters.set(name, counter)
    }
    return counter
  }

  #histogram(name: InstrumentName): Histogram {
    let histogram = this.#histograms.get(name)
    if (!histogram) {
      const { unit, description, buckets = [] } = INSTRUMENTS[name]
      const advice = { explicitBucketBoundaries: [...buckets] }
      histogram = this.#meter.createHistogram(name, { unit, description, advice })
      this.#histograms.set(name, histogram)
    }
    return histogram
  }
}

class RunningSpan implements Span {
  readonly #span: ApiSpan

  constructor(span: ApiSpan) {
    this.#span = span
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(attributes)
  }

  fail(type: string): void {
    this.#span.setAttribute('error.type', type)
    this.#span.setStatus({ code: SpanStatusCode.ERROR })
  }
}
