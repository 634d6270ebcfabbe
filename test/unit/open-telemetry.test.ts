import assert from 'node:assert/strict'
import { metrics, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { DataPointType } from '@opentelemetry/sdk-metrics'
import { AlreadyClaimedError, INSTRUMENTS, type RecordedName, type Telemetry } from '../../lib/index.ts'
import { openTelemetry } from '../../plugins/telemetry/index.ts'
import { Sdk } from '../support/open-telemetry-sdk.ts'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const SPAN_ID = 'b7ad6b7169203331'

describe('OpenTelemetry behind the port', () => {
  let sdk: Sdk
  let telemetry: Telemetry

  beforeEach(() => {
    sdk = new Sdk()
    const { meterProvider, tracerProvider } = sdk
    telemetry = openTelemetry({ meterProvider, tracerProvider })
  })
  afterEach(() => sdk.stop())

  describe('a span', () => {
    it('has its name, kind and attributes, those too that are known at its end', async () => {
      const result = await telemetry.span({ name: 'one', kind: 'producer', attributes: { a: 1 } }, async (span) => {
        span.set({ b: 'two', c: true })
        return 42
      })
      assert.equal(result, 42)
      const [span] = sdk.spans()
      assert.deepEqual(
        [span?.name, span?.kind, span?.attributes],
        ['one', SpanKind.PRODUCER, { a: 1, b: 'two', c: true }],
      )
      assert.equal(span?.status.code, SpanStatusCode.UNSET)
      assert.equal(span?.instrumentationScope.name, 'oidc-provider-eventstore')
    })

    it('is a part of what runs around it, and what runs in it is a part of it', async () => {
      await sdk.inSpan('a request', async () => {
        await telemetry.span({ name: 'outer', kind: 'internal' }, async () => {
          await new Promise((resolve) => setImmediate(resolve))
          await telemetry.span({ name: 'inner', kind: 'internal' }, async () => {})
        })
      })
      const [inner, outer, request] = sdk.spans()
      assert.equal(outer?.parentSpanContext?.spanId, request?.spanContext().spanId)
      assert.equal(inner?.parentSpanContext?.spanId, outer?.spanContext().spanId)
      assert.equal(inner?.spanContext().traceId, request?.spanContext().traceId)
    })

    it('begins a trace of its own where it is a root, whatever runs around it', async () => {
      await sdk.inSpan('a request', () =>
        telemetry.span({ name: 'loop', kind: 'consumer', isRoot: true }, async () => {}),
      )
      const [loop, request] = sdk.spans()
      assert.equal(loop?.parentSpanContext, undefined)
      assert.notEqual(loop?.spanContext().traceId, request?.spanContext().traceId)
    })

    it('is linked to the trace contexts that it is given, and to none that is malformed', async () => {
      const links = [
        undefined,
        '',
        'no trace context',
        `00-${TRACE_ID}-${SPAN_ID}-01`,
        `ff-${TRACE_ID}-${SPAN_ID}-01`,
        `00-${TRACE_ID}-${SPAN_ID}-1`,
        `00-${TRACE_ID.toUpperCase()}-${SPAN_ID}-01`,
        `00-${'0'.repeat(32)}-${SPAN_ID}-01`,
        `00-${TRACE_ID}-${'0'.repeat(16)}-01`,
        `01-${TRACE_ID}-${SPAN_ID}-00-more`,
        `00-${TRACE_ID}-${SPAN_ID}-01x`,
        // What lies in a database may be anything.
        ...([null, 42, [], {}, { toString: 'no function' }] as unknown as string[]),
      ]
      await telemetry.span({ name: 'one', kind: 'client', links }, async () => {})
      assert.deepEqual(
        sdk
          .spans()[0]
          ?.links.map(({ context: { traceId, spanId, traceFlags, isRemote } }) => [
            traceId,
            spanId,
            traceFlags,
            isRemote,
          ]),
        [
          [TRACE_ID, SPAN_ID, 1, true],
          [TRACE_ID, SPAN_ID, 0, true],
        ],
      )
    })

    it('says by a code that its work failed, and passes the failure on', async () => {
      const failure = new AlreadyClaimedError('mark')
      const failing = telemetry.span({ name: 'one', kind: 'client' }, () => Promise.reject(failure))
      await assert.rejects(failing, (error) => error === failure)
      const [span] = sdk.spans()
      assert.deepEqual(span?.status, { code: SpanStatusCode.ERROR })
      assert.equal(span?.attributes['error.type'], 'ALREADY_CLAIMED')
    })

    it('holds no word of an error that may be of strangers', async () => {
      const secret = 'mongodb://op:swordfish@db'
      await assert.rejects(telemetry.span({ name: 'one', kind: 'client' }, () => Promise.reject(new Error(secret))))
      const [span] = sdk.spans()
      assert.equal(span?.attributes['error.type'], '_OTHER')
      assert.deepEqual([span?.status.message, span?.events], [undefined, []])
    })

    it('keeps the reason that its work has given before it threw', async () => {
      const failing = telemetry.span({ name: 'one', kind: 'client' }, async (span) => {
        span.fail('503')
        throw new Error('no')
      })
      await assert.rejects(failing)
      assert.equal(sdk.spans()[0]?.attributes['error.type'], '503')
    })
  })

  describe('the trace context', () => {
    it('is that of the span that runs', async () => {
      const traceparent = await telemetry.span({ name: 'one', kind: 'client' }, async () => telemetry.traceparent())
      const { traceId, spanId } = sdk.spans()[0]?.spanContext() ?? { traceId: '', spanId: '' }
      assert.equal(traceparent, `00-${traceId}-${spanId}-01`)
    })

    it('is none where nothing runs', () => {
      assert.equal(telemetry.traceparent(), undefined)
    })

    it('is none where the tracer is none: zeros name nothing', async () => {
      const none = openTelemetry({ tracerProvider: trace.getTracerProvider(), meterProvider: sdk.meterProvider })
      const traceparent = await none.span({ name: 'one', kind: 'client' }, async () => none.traceparent())
      assert.equal(traceparent, undefined)
    })
  })

  describe('an instrument', () => {
    for (const [name, { kind, unit, description, buckets }] of Object.entries(INSTRUMENTS)) {
      if (kind === 'gauge') continue
      it(`is ${name}, a ${kind}, with its unit and description`, async () => {
        telemetry.record(name as RecordedName, 3, { a: 'b' })
        telemetry.record(name as RecordedName, 4, { a: 'b' })
        const [metric] = (await sdk.metrics()).filter(({ descriptor }) => descriptor.name === name)
        assert.deepEqual([metric?.descriptor.unit, metric?.descriptor.description], [unit, description])
        assert.deepEqual(await sdk.shown(name), [{ value: 7, attributes: { a: 'b' } }])
        if (kind === 'counter') assert.equal(metric?.dataPointType, DataPointType.SUM)
        else assert.deepEqual(boundariesOf(metric), buckets)
      })
    }

    it('is made of no name that is a gauge, or unknown', async () => {
      telemetry.record('oidc_provider_eventstore.log.end' as RecordedName, 1)
      telemetry.record('of a newer plugin' as RecordedName, 1)
      assert.deepEqual(await sdk.metrics(), [])
    })

    it('is found by the global provider where none is given', async () => {
      metrics.setGlobalMeterProvider(sdk.meterProvider)
      trace.setGlobalTracerProvider(sdk.tracerProvider)
      try {
        const global = openTelemetry()
        global.record('oidc_provider_eventstore.append.conflicts', 1)
        await global.span({ name: 'one', kind: 'internal' }, async () => {})
      } finally {
        metrics.disable()
        trace.disable()
      }
      assert.deepEqual(await sdk.shown('oidc_provider_eventstore.append.conflicts'), [{ value: 1, attributes: {} }])
      assert.equal(sdk.spans().length, 1)
    })
  })

  describe('without an SDK', () => {
    it('does nothing, and the work of spans', async () => {
      const idle = openTelemetry()
      assert.equal(
        await idle.span({ name: 'one', kind: 'client', links: [`00-${TRACE_ID}-${SPAN_ID}-01`] }, async () => 1),
        1,
      )
      idle.record('oidc_provider_eventstore.append.conflicts', 1)
      let isRead = false
      idle.observe(async () => {
        isRead = true
        return []
      })()
      assert.deepEqual([isRead, idle.traceparent(), sdk.spans().length], [false, undefined, 0])
    })

    it('says that nobody takes what it is told, until an SDK is there', async () => {
      assert.equal(telemetry.isOff, false)
      assert.equal(openTelemetry({ meterProvider: sdk.meterProvider }).isOff, false)
      assert.equal(openTelemetry({ tracerProvider: sdk.tracerProvider }).isOff, false)
      const early = openTelemetry()
      early.record('oidc_provider_eventstore.append.conflicts', 1)
      assert.equal(early.isOff, true)
      try {
        trace.setGlobalTracerProvider(sdk.tracerProvider)
        assert.equal(early.isOff, false)
        await early.span({ name: 'later', kind: 'internal' }, async () => {})
        assert.equal(sdk.spans().length, 1)
      } finally {
        trace.disable()
      }
      assert.equal(openTelemetry().isOff, true)
      try {
        metrics.setGlobalMeterProvider(sdk.meterProvider)
        const late = openTelemetry()
        assert.equal(late.isOff, false)
        late.record('oidc_provider_eventstore.append.conflicts', 1)
        assert.equal((await sdk.metrics()).length, 1)
      } finally {
        metrics.disable()
      }
    })
  })

  describe('an option', () => {
    for (const [option, value] of [
      ['meterProvider', {}],
      ['meterProvider', null],
      ['tracerProvider', 'global'],
      ['gaugesEveryMs', -1],
      ['gaugesEveryMs', '5000'],
      ['gaugesEveryMs', Number.NaN],
      ['clock', {}],
      ['gaugeEveryMs', 1],
    ] as const) {
      it(`that is wrong is refused by its name: ${option} ${String(value)}`, () => {
        const wrong = { [option]: value } as never
        assert.throws(() => openTelemetry(wrong), { code: 'OPTION_INVALID', message: new RegExp(option) })
      })
    }
  })

  it('registers nothing globally', () => {
    openTelemetry().record('oidc_provider_eventstore.append.conflicts', 1)
    assert.equal(metrics.getMeterProvider().constructor.name, 'NoopMeterProvider')
  })
})

function boundariesOf(metric: Awaited<ReturnType<Sdk['metrics']>>[number] | undefined): readonly number[] {
  if (metric?.dataPointType !== DataPointType.HISTOGRAM) throw new Error('that is no histogram')
  return metric.dataPoints[0]?.value.buckets.boundaries ?? []
}
