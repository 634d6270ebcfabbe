import type { IncomingMessage } from 'node:http'
import { context, SpanKind, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { BasicTracerProvider, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { openTelemetry } from '../../plugins/telemetry/index.ts'
import { spanContextOf } from '../../plugins/telemetry/trace-context.ts'
import type { OpOptions } from './op.ts'

/** A span, as a process tells it to another one. */
export interface ToldSpan {
  readonly name: string
  readonly traceId: string
  readonly spanId: string
  readonly parentId?: string
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly attributes: Readonly<Record<string, unknown>>
}

/** What an OP is traced with: requests go on with the trace of whoever sends them, as an instrumentation of HTTP has it. */
export function tracing(tell: (span: ToldSpan) => void): Pick<OpOptions, 'telemetry' | 'around'> {
  const exporter = {
    export(spans: readonly ReadableSpan[], done: (result: { readonly code: 0 }) => void) {
      for (const span of spans) tell(told(span))
      done({ code: 0 })
    },
    shutdown: async () => {},
  }
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  const tracer = tracerProvider.getTracer('test')
  return {
    telemetry: openTelemetry({ tracerProvider }),
    around({ headers, method = '', url = '' }: IncomingMessage, run) {
      const parent = spanContextOf(String(headers['traceparent']))
      const from = parent ? trace.setSpanContext(context.active(), parent) : context.active()
      const name = `${method} ${url.split(/[?/]/)[1] ?? ''}`
      tracer.startActiveSpan(name, { kind: SpanKind.SERVER }, from, (span) => {
        run()
        span.end()
      })
    },
  }
}

function told(span: ReadableSpan): ToldSpan {
  const { name, links, attributes, parentSpanContext } = span
  const { traceId, spanId } = span.spanContext()
  return {
    ...{ name, traceId, spanId, attributes },
    links: links.map(({ context }) => ({ traceId: context.traceId, spanId: context.spanId })),
    ...(parentSpanContext && { parentId: parentSpanContext.spanId }),
  }
}
