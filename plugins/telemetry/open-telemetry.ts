import {
  type Span as ApiSpan,
  type Counter,
  createNoopMeter,
  type Histogram,
  isSpanContextValid,
  type Meter,
  type MeterProvider,
  metrics,
  ProxyTracerProvider,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import {
  type Attributes,
  type Clock,
  errorType,
  INSTRUMENTS,
  type NewSpan,
  OptionInvalidError,
  type Reading,
  type RecordedName,
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
   * Gauges are read from the database at most once in so many milliseconds, however many collect; and less often where a
   * reading takes long. Default: 5 s.
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
  const { meterProvider, tracerProvider, gaugesEveryMs = 0, clock } = options
  if (meterProvider !== undefined && typeof meterProvider?.getMeter !== 'function')
    throw new OptionInvalidError('meterProvider', 'needs a method `getMeter`: a MeterProvider of an OpenTelemetry SDK')
  if (tracerProvider !== undefined && typeof tracerProvider?.getTracer !== 'function')
    throw new OptionInvalidError(
      'tracerProvider',
      'needs a method `getTracer`: a TracerProvider of an OpenTelemetry SDK',
    )
  if (!(Number.isFinite(gaugesEveryMs) && gaugesEveryMs >= 0))
    throw new OptionInvalidError('gaugesEveryMs', 'must be milliseconds, 0 or more')
  if (clock !== undefined && typeof clock?.monotonic !== 'function')
    throw new OptionInvalidError('clock', 'needs a method `monotonic`')
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
  readonly #tracerProvider: TracerProvider | undefined
  #isOn = false
  readonly #tracer: Tracer
  readonly #counters = new Map<RecordedName, Counter>()
  readonly #histograms = new Map<RecordedName, Histogram>()
  readonly #gauges: Gauges

  constructor({ meterProvider, tracerProvider, gaugesEveryMs = 5_000, clock = systemClock }: OpenTelemetryOptions) {
    this.#meterProvider = meterProvider
    this.#tracerProvider = tracerProvider
    this.#tracer = (tracerProvider ?? trace).getTracer(SCOPE)
    this.#gauges = new Gauges(() => this.#meter, clock, gaugesEveryMs)
  }

  /** No provider was given, and no SDK has registered one. */
  get isOff(): boolean {
    if (!this.#isOn) this.#isOn = this.#meter !== createNoopMeter() || isTracing(this.#tracerProvider)
    return !this.#isOn
  }

  span<T>(
    { name, kind, attributes, links = [], isRoot = false }: NewSpan,
    work: (span: Span) => Promise<T>,
  ): Promise<T> {
    const contexts = links.flatMap((traceparent) => spanContextOf(traceparent) ?? [])
    const options: SpanOptions = {
      kind: KINDS[kind],
      ...(attributes && { attributes }),
      links: contexts.map((context) => ({ context })),
      root: isRoot,
    }
    return this.#tracer.startActiveSpan(name, options, async (span) => {
      const running = new RunningSpan(span)
      try {
        return await work(running)
      } catch (error) {
        if (!running.hasFailed) running.fail(errorType(error))
        throw error
      } finally {
        span.end()
      }
    })
  }

  traceparent(): string | undefined {
    const context = trace.getActiveSpan()?.spanContext()
    return context && isSpanContextValid(context) ? traceparentOf(context) : undefined
  }

  /** A name that is none of these is left out: a plugin of somebody else's may be newer than this. */
  record(instrument: RecordedName, value: number, attributes: Attributes = {}): void {
    if (this.isOff) return
    const kind = INSTRUMENTS[instrument]?.kind
    if (kind === 'counter') this.#counter(instrument).add(value, attributes)
    else if (kind === 'histogram') this.#histogram(instrument).record(value, attributes)
  }

  observe(read: () => Promise<readonly Reading[]>): () => void {
    return this.#gauges.observe(read)
  }

  get #meter(): Meter {
    return (this.#meterProvider ?? metrics).getMeter(SCOPE)
  }

  #counter(name: RecordedName): Counter {
    let counter = this.#counters.get(name)
    if (!counter) {
      const { unit, description } = INSTRUMENTS[name]
      counter = this.#meter.createCounter(name, { unit, description })
      this.#counters.set(name, counter)
    }
    return counter
  }

  #histogram(name: RecordedName): Histogram {
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

/** The API's own provider is there before any SDK, and passes everything on to it as soon as it registers one. */
function isTracing(given: TracerProvider | undefined): boolean {
  const provider = given ?? trace.getTracerProvider()
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegateTracer(SCOPE) !== undefined
}

class RunningSpan implements Span {
  readonly #span: ApiSpan
  hasFailed = false

  constructor(span: ApiSpan) {
    this.#span = span
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(attributes)
  }

  /** Without a message: that of an error may hold what strangers have sent. */
  fail(type: string): void {
    this.hasFailed = true
    this.#span.setAttribute('error.type', type)
    this.#span.setStatus({ code: SpanStatusCode.ERROR })
  }
}
