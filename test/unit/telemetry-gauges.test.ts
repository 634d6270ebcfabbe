import assert from 'node:assert/strict'
import { DiagLogLevel, diag } from '@opentelemetry/api'
import { GoneSeries, type Reading, type Telemetry } from '../../lib/index.ts'
import { openTelemetry } from '../../plugins/telemetry/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { Sdk } from '../support/open-telemetry-sdk.ts'

const END = 'oidc_provider_eventstore.log.end'
const LAG = 'oidc_provider_eventstore.consumer.lag'

describe('gauges', () => {
  let sdk: Sdk
  let clock: FakeClock
  let telemetry: Telemetry
  let warnings: string[]
  let readings = 0

  const end = async (): Promise<Reading[]> => {
    readings += 1
    return [{ instrument: END, value: readings }]
  }

  beforeEach(() => {
    sdk = new Sdk()
    clock = new FakeClock()
    warnings = []
    readings = 0
    const { meterProvider, tracerProvider } = sdk
    telemetry = openTelemetry({ meterProvider, tracerProvider, clock, gaugesEveryMs: 5_000 })
    const ignore = (): void => {}
    const warn = (message: string): void => void warnings.push(message)
    diag.setLogger(
      { error: ignore, warn, info: ignore, debug: ignore, verbose: ignore },
      { logLevel: DiagLogLevel.WARN },
    )
  })
  afterEach(async () => {
    diag.disable()
    await sdk.stop()
  })

  it('are read when somebody collects, and not before', async () => {
    telemetry.observe(end)
    await clock.advance(60_000)
    assert.equal(readings, 0)
    assert.deepEqual(await sdk.shown(END), [{ value: 1, attributes: {} }])
  })

  it('are read once for all who collect at once, and soon after', async () => {
    telemetry.observe(end)
    await Promise.all([sdk.shown(END), sdk.shown(END), sdk.shown(END)])
    await clock.advance(4_999)
    assert.deepEqual(await sdk.shown(END), [{ value: 1, attributes: {} }])
    await clock.advance(1)
    assert.deepEqual(await sdk.shown(END), [{ value: 2, attributes: {} }])
  })

  it('show what each of several observers reads, with attributes', async () => {
    telemetry.observe(end)
    telemetry.observe(async () =>
      ['one', 'two'].map((name) => ({ instrument: LAG, value: 7, attributes: { name } }) as const),
    )
    assert.deepEqual(await sdk.shown(END), [{ value: 1, attributes: {} }])
    assert.deepEqual(
      (await sdk.shown(LAG)).map(({ attributes }) => attributes),
      [{ name: 'one' }, { name: 'two' }],
    )
  })

  it('are not read any more after their end', async () => {
    telemetry.observe(end)()
    assert.deepEqual(await sdk.shown(END), [])
    assert.equal(readings, 0)
  })

  it('show nothing where their reading fails, which is said; the others show theirs', async () => {
    telemetry.observe(async () => Promise.reject(new Error('away')))
    telemetry.observe(() => {
      throw new Error('away at once')
    })
    telemetry.observe(end)
    assert.deepEqual(await sdk.shown(END), [{ value: 1, attributes: {} }])
    assert.deepEqual(warnings, Array(2).fill('oidc-provider-eventstore: gauges could not be read'))
  })

  it('that failed are not read again for everybody who collects', async () => {
    telemetry.observe(async () => {
      readings += 1
      throw new Error('away')
    })
    for (let times = 0; times < 5; times++) await sdk.metrics()
    assert.equal(readings, 1)
  })

  it('show nothing where their reading takes too long, and no second one is made beside it', async () => {
    let answer: (() => void) | undefined
    telemetry.observe(async () => {
      readings += 1
      if (readings === 1) await new Promise<void>((resolve) => (answer = resolve))
      return [{ instrument: END, value: readings }]
    })
    const first = sdk.shown(END)
    await clock.scheduled()
    await clock.advance(10_000)
    assert.deepEqual(await first, [])
    assert.deepEqual(warnings, ['oidc-provider-eventstore: gauges could not be read within 10000 ms'])
    const second = sdk.shown(END)
    await clock.scheduled()
    await clock.advance(10_000)
    assert.deepEqual(await second, [])
    assert.equal(readings, 1)
    answer?.()
    assert.deepEqual(await sdk.shown(END), [{ value: 1, attributes: {} }])
  })

  it('that take long are read less often: a tenth of the time at most', async () => {
    telemetry.observe(async () => {
      await clock.sleep(2_000)
      return end()
    })
    const first = sdk.shown(END)
    await clock.scheduled(2)
    await clock.advance(2_000)
    assert.deepEqual(await first, [{ value: 1, attributes: {} }])
    await clock.advance(19_999)
    assert.deepEqual(await sdk.shown(END), [{ value: 1, attributes: {} }])
    await clock.advance(1)
    const third = sdk.shown(END)
    await clock.scheduled(2)
    await clock.advance(2_000)
    assert.deepEqual(await third, [{ value: 2, attributes: {} }])
  })

  it('show 0 for what was told and is gone, where the reader says so: the SDK would show its last value for ever', async () => {
    let names = ['one', 'two']
    const gone = new GoneSeries()
    telemetry.observe(async () =>
      gone.withGone(names.map((name) => ({ instrument: LAG, value: 7, attributes: { name } }) as const)),
    )
    telemetry.observe(end)
    await sdk.shown(LAG)
    names = ['two', 'three']
    await clock.advance(5_000)
    assert.deepEqual(
      (await sdk.shown(LAG)).map(({ value, attributes }) => [attributes['name'], value]),
      [
        ['one', 0],
        ['two', 7],
        ['three', 7],
      ],
    )
    names = ['one']
    await clock.advance(5_000)
    assert.deepEqual(
      (await sdk.shown(LAG)).map(({ value }) => value),
      [7, 0, 0],
    )
  })

  it('show no 0 for what a reading that failed does not tell', async () => {
    let reads = async (): Promise<Reading[]> => [{ instrument: LAG, value: 7 }]
    telemetry.observe(() => reads())
    await sdk.shown(LAG)
    for (const nothing of [async () => [], async () => Promise.reject(new Error('away'))]) {
      reads = nothing
      await clock.advance(5_000)
      assert.equal(
        (await sdk.shown(LAG)).some(({ value }) => value === 0),
        false,
      )
    }
  })

  it('leave no timer when they were read', async () => {
    telemetry.observe(end)
    await sdk.metrics()
    assert.equal(clock.pending, 0)
  })
})
