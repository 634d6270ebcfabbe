import type { GaugeName, RecordedName } from './instruments.ts'

/** What a measurement or a span is about, by the names of OpenTelemetry's conventions or those in `docs/guides/telemetry.md`. */
export type Attributes = Readonly<Record<string, string | number | boolean>>

/** A span that is about to begin. */
export interface NewSpan {
  readonly name: string
  readonly kind: 'internal' | 'producer' | 'consumer' | 'client'
  readonly attributes?: Attributes
  /**
   * Trace contexts (W3C Trace Context, section 3.2: `traceparent`) of what has caused this, perhaps hours ago in another
   * process. What is undefined or malformed is left out.
   */
  readonly links?: readonly (string | undefined)[]
  /**
   * Begins a trace of its own, whatever runs here: a loop that serves everybody was woken by one request, and belongs to
   * none. Default: false.
   */
  readonly isRoot?: boolean
}

/** A span that has begun. */
export interface Span {
  set(attributes: Attributes): void
  /** It did not succeed. `type` is one of few: a code, a status, a state. */
  fail(type: string): void
}

/** What a gauge shows now. */
export interface Reading {
  readonly instrument: GaugeName
  readonly value: number
  readonly attributes?: Attributes
}

/**
 * Where measurements and traces go. `openTelemetry()` of `plugins/telemetry` is one. No method may throw, or wait, but for
 * the work that a span is around: `eventSourced()` goes on without one that does.
 */
export interface Telemetry {
  /** Whether nobody takes what is told: then it need not be told. May change at any time. Absent: somebody does. */
  readonly isOff?: boolean
  /**
   * Runs work at once, in a span that ends with it. That it fails is told of the span, by a code and not by its message,
   * and the failure is passed on.
   */
  span<T>(span: NewSpan, work: (span: Span) => Promise<T>): Promise<T>
  /** The trace context of what runs now (`traceparent`). Undefined: nothing is traced. */
  traceparent(): string | undefined
  /** One more measurement of a counter or a histogram. */
  record(instrument: RecordedName, value: number, attributes?: Attributes): void
  /** Has gauges read whenever somebody collects. Returns what ends that. */
  observe(read: () => Promise<readonly Reading[]>): () => void
}

const NO_SPAN: Span = { set() {}, fail() {} }

/** Measures nothing and traces nothing: what is used where none is given. */
export const noTelemetry: Telemetry = {
  isOff: true,
  span: (_span, work) => work(NO_SPAN),
  traceparent: () => undefined,
  record() {},
  observe: () => () => undefined,
}
