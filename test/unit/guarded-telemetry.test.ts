import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { eventSourced, type NewCommit, type NewSpan, type Span, type Telemetry } from '../../lib/index.ts'
import { COMMIT_BYTES_LIMIT, prepare } from '../../lib/log/prepare.ts'
import { guardedTelemetry } from '../../lib/telemetry/guarded-telemetry.ts'
import { measuredStore } from '../../lib/telemetry/measured-store.ts'
import { commitTo, fresh } from '../contract/event-store/log-under-test.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { KeptLog } from '../support/kept-log.ts'
import { KeptTelemetry } from '../support/kept-telemetry.ts'

const SPAN: NewSpan = { name: 'one', kind: 'internal' }
const fails = (): never => {
  throw new Error('the exporter is broken')
}

/** Throws wherever it can. */
const broken: Telemetry = { span: fails, traceparent: fails, record: fails, observe: fails }

/** Spans of which every method throws. */
const brokenSpans: Telemetry = {
  ...broken,
  span: (_span, work) => work({ set: fails, fail: fails }),
}

/** Fails when the work has succeeded. */
const brokenEnds: Telemetry = {
  ...broken,
  span: async (_span, work) => {
    await work({ set() {}, fail() {} })
    return fails()
  },
}

/** Never begins the work. */
const idle: Telemetry = { ...broken, span: () => new Promise(() => {}) }

/** Runs the work again when it has failed. */
const twice: Telemetry = {
  ...broken,
  span: (_span, work) => work({ set() {}, fail() {} }).catch(() => work({ set() {}, fail() {} })),
}

describe('telemetry that throws', () => {
  for (const [what, telemetry] of Object.entries({ broken, brokenSpans, brokenEnds, idle, twice })) {
    describe(`(${what})`, () => {
      const log = new KeptLog()
      const guarded = guardedTelemetry(telemetry, log)

      it('has the work of a span done once, and its result returned', async () => {
        let runs = 0
        const work = async (span: Span): Promise<number> => {
          span.set({ a: 1 })
          span.fail('no')
          runs += 1
          return 42
        }
        assert.equal(await guarded.span(SPAN, work), 42)
        assert.equal(runs, 1)
      })

      it('has a failure of the work passed on, and the work not done again', async () => {
        let runs = 0
        const work = async (): Promise<never> => {
          runs += 1
          throw new Error('the work failed')
        }
        await assert.rejects(guarded.span(SPAN, work), /the work failed/)
        assert.equal(runs, 1)
      })

      it('breaks no measurement, no trace and no gauge', () => {
        guarded.record('oidc_provider_eventstore.append.conflicts', 1)
        assert.equal(guarded.traceparent(), undefined)
        guarded.observe(async () => [])()
      })

      it('is logged once', () => {
        assert.deepEqual(
          log.lines.map(({ level, fields }) => [level, fields['event']]),
          [['warn', 'telemetry_failed']],
        )
      })

      it('breaks no commit, neither in the store nor on the way there', async () => {
        const clock = new FakeClock()
        const given = new MemoryEventStore({ clock, logger: log })
        given.measure(telemetry)
        const store = measuredStore(given, guarded, clock)
        const stream = fresh()
        await Promise.all([store.append(commitTo(stream)), store.append(commitTo(stream))])
        await store.append(commitTo(stream))
        assert.equal((await store.read(stream)).length, 3)
        await store.close()
      })
    })
  }

  for (const trace of [null, 42, {}, '', 'half \ud800', '0\u0000', 'x'.repeat(10_000)]) {
    it(`breaks no commit where its trace context is none: ${JSON.stringify(trace).slice(0, 20)}`, async () => {
      const log = new KeptLog()
      const telemetry = Object.assign(new KeptTelemetry(), { trace: trace as string })
      const store = measuredStore(new MemoryEventStore(), guardedTelemetry(telemetry, log), new FakeClock())
      const stream = fresh()
      await store.append(commitTo(stream))
      assert.deepEqual((await store.latest(stream))?.meta, {})
      assert.deepEqual(
        log.lines.map(({ fields }) => fields['event']),
        ['telemetry_failed'],
      )
      await store.close()
    })
  }

  it('refuses no commit that is as large as may be, which goes without its trace', async () => {
    const telemetry = Object.assign(new KeptTelemetry(), { trace: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01` })
    const store = measuredStore(new MemoryEventStore(), guardedTelemetry(telemetry, new KeptLog()), new FakeClock())
    const stream = fresh()
    const ofLength = (length: number): NewCommit => commitTo(stream, { data: { text: 'x'.repeat(length) } })
    const most = COMMIT_BYTES_LIMIT - prepare(ofLength(0)).bytes
    await store.append(ofLength(most))
    assert.deepEqual((await store.latest(stream))?.meta, {})
    await assert.rejects(store.append(ofLength(most + 1)), { code: 'COMMIT_TOO_LARGE' })
    await store.append(ofLength(most - 100))
    assert.deepEqual((await store.latest(stream))?.meta, { trace: telemetry.trace })
    await store.close()
  })

  it('is no failure where the work throws before it is asynchronous', async () => {
    const log = new KeptLog()
    const guarded = guardedTelemetry(new KeptTelemetry(), log)
    await assert.rejects(
      guarded.span(SPAN, () => fails()),
      /the exporter is broken/,
    )
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(log.lines, [])
  })

  it('is refused where it lacks a method', async () => {
    const store = new MemoryEventStore()
    const telemetry = { ...broken, observe: undefined } as unknown as Telemetry
    assert.throws(() => eventSourced(store, { telemetry }), { code: 'OPTION_INVALID', message: /telemetry.*`observe`/ })
    await store.close()
  })
})
