import { type ContextManager, context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import {
  type DataPoint,
  DataPointType,
  type Histogram,
  MeterProvider,
  type MetricData,
  MetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'

/** What a metric shows for one set of attributes. */
export interface Shown {
  readonly value: number
  readonly attributes: Readonly<Record<string, unknown>>
}

/** Reads when it is asked. */
class ReaderOnDemand extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** OpenTelemetry's SDK, which keeps in memory what it is given; nothing global but the context, until it is stopped. */
export class Sdk {
  readonly tracerProvider: BasicTracerProvider
  readonly meterProvider: MeterProvider
  readonly #spans = new InMemorySpanExporter()
  readonly #reader = new ReaderOnDemand()
  readonly #contexts: ContextManager

  constructor() {
    this.tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.#spans)] })
    this.meterProvider = new MeterProvider({ readers: [this.#reader] })
    this.#contexts = new AsyncLocalStorageContextManager().enable()
    context.setGlobalContextManager(this.#contexts)
  }

  async stop(): Promise<void> {
    context.disable()
    this.#contexts.disable()
    await this.tracerProvider.shutdown()
    await this.meterProvider.shutdown()
  }

  /** Spans that have ended, in the order of their ends; those of this name, where one is given. */
  spans(name?: string): ReadableSpan[] {
    const spans = this.#spans.getFinishedSpans()
    return name === undefined ? spans : spans.filter((span) => span.name === name)
  }

  /** Runs work in a span of this name, as an instrumentation of HTTP does. */
  inSpan<T>(name: string, work: () => Promise<T>): Promise<T> {
    return this.tracerProvider.getTracer('test').startActiveSpan(name, (span) => work().finally(() => span.end()))
  }

  async metrics(): Promise<MetricData[]> {
    const { resourceMetrics } = await this.#reader.collect()
    return resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics)
  }

  /** What a metric shows; of a histogram the sum. Nothing was recorded: nothing. */
  async shown(name: string): Promise<Shown[]> {
    const metric = (await this.metrics()).find(({ descriptor }) => descriptor.name === name)
    if (!metric) return []
    if (metric.dataPointType === DataPointType.HISTOGRAM)
      return metric.dataPoints.map(({ value, attributes }: DataPoint<Histogram>) => ({
        value: value.sum ?? 0,
        attributes,
      }))
    return (metric.dataPoints as DataPoint<number>[]).map(({ value, attributes }) => ({ value, attributes }))
  }
}
