import { componentLogger, type Logger } from '../logger.ts'
import { type NewSpan, noTelemetry, type Reading, type Span, type Telemetry } from './telemetry.ts'

/**
 * The same telemetry, which breaks nothing: where it throws, rejects or does not run the work of a span, things go on as if
 * it had not been there. That is logged once.
 */
export function guardedTelemetry(telemetry: Telemetry, given: Logger): Telemetry {
  const logger = componentLogger(given, 'telemetry')
  let isLogged = false
  const failed = (err: unknown): void => {
    if (isLogged) return
    isLogged = true
    logger.warn(
      { event: 'telemetry_failed', err },
      'telemetry threw: what it should have measured is lost, now and whenever it throws again',
    )
  }
  const attempt = <T>(call: () => T, otherwise: T): T => {
    try {
      return call()
    } catch (err) {
      failed(err)
      return otherwise
    }
  }
  const guardedSpan = (span: Span): Span => ({
    set: (attributes) => attempt(() => span.set(attributes), undefined),
    fail: (type) => attempt(() => span.fail(type), undefined),
  })
  const isOff = (): boolean => {
    try {
      return telemetry.isOff === true
    } catch (err) {
      failed(err)
      return true
    }
  }
  return {
    get isOff() {
      return isOff()
    },
    span: <T>(span: NewSpan, work: (span: Span) => Promise<T>): Promise<T> => {
      if (isOff()) return noTelemetry.span(span, (begun) => settled(work, begun))
      let running: Promise<T> | undefined
      const once = (begun: Span): Promise<T> => {
        running ??= settled(work, begun)
        return running
      }
      const told = attempt(() => telemetry.span(span, (begun) => once(guardedSpan(begun))), undefined)
      const result = running ?? noTelemetry.span(span, once)
      // What the work rejects with is its caller's; what else the span rejects with is the telemetry's own failure.
      Promise.resolve(told).catch((err) => result.catch((own) => own).then((own) => own !== err && failed(err)))
      return result
    },
    traceparent: () => attempt(() => checkedTrace(telemetry.traceparent()), undefined),
    record: (instrument, value, attributes) =>
      attempt(() => telemetry.record(instrument, value, attributes), undefined),
    observe: (read: () => Promise<readonly Reading[]>) => {
      const end = attempt(() => telemetry.observe(read), undefined)
      return () => attempt(() => end?.(), undefined)
    },
  }
}

/** So many characters a trace context has at most: version 00 has 55, later ones may have more. */
const MOST_CHARACTERS = 256

/** It is stored with each commit: what a store would refuse must not be given to it. */
function checkedTrace(trace: unknown): string | undefined {
  if (trace === undefined) return undefined
  if (typeof trace === 'string' && trace.length <= MOST_CHARACTERS && /^[\x21-\x7e]+$/.test(trace)) return trace
  throw new TypeError('traceparent() has returned what is no trace context')
}

/** Rejects where the work throws. */
async function settled<T>(work: (span: Span) => Promise<T>, span: Span): Promise<T> {
  return work(span)
}
