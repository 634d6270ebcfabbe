import { context, metrics, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { MemoryEventStore } from '../../../adapters/memory/index.ts'
import { type EventStore, systemClock, type Telemetry } from '../../../lib/index.ts'
import { silent } from '../../../lib/logger.ts'
import { guardedTelemetry } from '../../../lib/telemetry/guarded-telemetry.ts'
import { measuredStore } from '../../../lib/telemetry/measured-store.ts'
import { openTelemetry } from '../../../plugins/telemetry/index.ts'
import { type Candidate, contest, keepInFlight } from '../contest.ts'
import type { Benchmark, Row } from '../report.ts'

const TO = 'without telemetry'
const IN_FLIGHT = 32

/**
 * What measuring costs where a commit costs least: appends and reads in memory. On a database the same time is a small part
 * of a command's.
 */
export const telemetry: Benchmark = {
  name: 'telemetry',
  title: 'Appends and reads in memory, to those without telemetry',
  async run(rounds): Promise<Row[]> {
    if (metrics.getMeterProvider().constructor.name !== 'NoopMeterProvider' || trace.getActiveSpan())
      throw new Error('an SDK is registered: the API alone could not be measured')
    const sdk = new WholeSdk()
    const kinds: readonly (readonly [string, Telemetry | undefined])[] = [
      [TO, undefined],
      ['with the API, and no SDK', openTelemetry()],
      ['with an SDK that measures', openTelemetry({ meterProvider: sdk.meterProvider })],
      [
        'with an SDK that measures and traces',
        openTelemetry({ meterProvider: sdk.meterProvider, tracerProvider: sdk.tracerProvider }),
      ],
    ]
    const rows: Row[] = []
    for (const what of ['append', 'read'] as const) {
      const stores = kinds.map(([name, kind]) => ({ name, ...storeOf(kind) }))
      const candidates = stores.map(({ name, store }): Candidate => ({ name, turn: turnOf(what, store, name, sdk) }))
      for (const result of await contest(candidates, TO, rounds)) rows.push({ where: { what }, ...result })
      for (const { given } of stores) await given.close()
    }
    await sdk.stop()
    return rows
  },
}

function storeOf(kind: Telemetry | undefined): { readonly given: EventStore; readonly store: EventStore } {
  const given = new MemoryEventStore({ logger: silent })
  const store = kind ? measuredStore(given, guardedTelemetry(kind, silent), systemClock) : given
  return { given, store }
}

function turnOf(what: 'append' | 'read', store: EventStore, name: string, sdk: WholeSdk): Candidate['turn'] {
  let n = 0
  const append = async (): Promise<number> => {
    n += 1
    await store.append({ events: [{ stream: `Thing:${n % 1_000}`, type: 'happened', data: { n } }] })
    return 1
  }
  const read = async (): Promise<number> => {
    n += 1
    await store.latest(`Thing:${n % 1_000}`)
    return 1
  }
  return async (forMs) => {
    if (name.includes('traces')) sdk.follow()
    try {
      return await keepInFlight(IN_FLIGHT, forMs, what === 'append' ? append : read)
    } finally {
      sdk.unfollow()
    }
  }
}

class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** One that keeps nothing: what it would send, and where, is not what is measured. */
class WholeSdk {
  readonly meterProvider: MeterProvider = new MeterProvider({ readers: [new Reader()] })
  readonly tracerProvider: BasicTracerProvider = new BasicTracerProvider({
    spanProcessors: [
      new SimpleSpanProcessor({
        export: (_spans, done) => done({ code: 0 }),
        shutdown: async () => {},
      }),
    ],
  })

  /** From now on what runs asynchronously knows its span; nobody else pays for that. */
  follow(): void {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  }

  unfollow(): void {
    context.disable()
  }

  async stop(): Promise<void> {
    await Promise.all([this.meterProvider.shutdown(), this.tracerProvider.shutdown()])
  }
}
