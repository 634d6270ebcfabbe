import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { AlreadyClaimedError, type EventStore } from '../../lib/index.ts'
import { measuredStore } from '../../lib/telemetry/measured-store.ts'
import { commitTo, fresh } from '../contract/event-store/log-under-test.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { KeptTelemetry } from '../support/kept-telemetry.ts'
import { SteeredStore } from '../support/steered-store.ts'

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const OTHER_TRACE = '00-11111111111111111111111111111111-2222222222222222-01'

describe('a store that is measured', () => {
  let clock: FakeClock
  let inner: SteeredStore
  let telemetry: KeptTelemetry
  let store: EventStore

  beforeEach(() => {
    clock = new FakeClock()
    inner = new SteeredStore(new MemoryEventStore({ clock }))
    telemetry = new KeptTelemetry()
    store = measuredStore(inner, telemetry, clock)
    telemetry.measurements.splice(0)
  })
  afterEach(() => store.close())

  it('tells how long an append took, and where it is', async () => {
    inner.beforeAppend = () => clock.advance(250)
    const { position } = await store.append(commitTo(fresh()))
    assert.deepEqual(telemetry.of('append.duration'), [
      { instrument: 'oidc_provider_eventstore.append.duration', value: 0.25, attributes: {} },
    ])
    const [span] = telemetry.spans
    assert.deepEqual([span?.name, span?.kind, span?.failed], ['oidc_provider_eventstore append', 'producer', undefined])
    assert.deepEqual(span?.attributes, {
      'oidc_provider_eventstore.events': 1,
      'oidc_provider_eventstore.position': position,
    })
  })

  it('stores the trace context of the append with the commit, and returns it', async () => {
    telemetry.trace = TRACE
    const stream = fresh()
    const { trace } = await store.append({ ...commitTo(stream), meta: { actor: 'anna' } })
    assert.equal(trace, TRACE)
    assert.deepEqual((await store.latest(stream))?.meta, { actor: 'anna', trace: TRACE })
  })

  it('leaves a trace context that the commit has already', async () => {
    telemetry.trace = TRACE
    const stream = fresh()
    assert.equal((await store.append({ ...commitTo(stream), meta: { trace: OTHER_TRACE } })).trace, OTHER_TRACE)
    assert.deepEqual((await store.latest(stream))?.meta, { trace: OTHER_TRACE })
  })

  it('stores none where nothing is traced', async () => {
    const stream = fresh()
    assert.ok(!('trace' in (await store.append(commitTo(stream)))))
    assert.deepEqual((await store.latest(stream))?.meta, {})
  })

  it('counts a commit that lost, by the code that its caller gets', async () => {
    const claims = [{ kind: 'once', mark: fresh('mark') }] as const
    await store.append({ ...commitTo(fresh()), claims })
    await assert.rejects(store.append({ ...commitTo(fresh()), claims }), AlreadyClaimedError)
    const attributes = { 'error.type': 'ALREADY_CLAIMED' }
    assert.deepEqual(telemetry.of('append.conflicts'), [
      { instrument: 'oidc_provider_eventstore.append.conflicts', value: 1, attributes },
    ])
    assert.deepEqual(telemetry.of('append.duration').at(-1)?.attributes, attributes)
    assert.equal(telemetry.spans.at(-1)?.failed, 'ALREADY_CLAIMED')
  })

  it('shows from the start that no commit has lost', () => {
    measuredStore(inner, telemetry, clock)
    assert.deepEqual(
      telemetry.of('append.conflicts').map(({ value, attributes }) => [value, attributes['error.type']]),
      [
        [0, 'CONCURRENCY'],
        [0, 'ALREADY_CLAIMED'],
      ],
    )
  })

  it('tells of an error that is none of ours by no word of it', async () => {
    inner.beforeAppend = () => {
      throw new Error('mongodb://op:swordfish@db')
    }
    await assert.rejects(store.append(commitTo(fresh())), /swordfish/)
    assert.equal(telemetry.spans.at(-1)?.failed, '_OTHER')
    assert.deepEqual(telemetry.of('append.duration').at(-1)?.attributes, { 'error.type': '_OTHER' })
    assert.deepEqual(telemetry.of('append.conflicts'), [])
  })

  it('tells how long each read took, by what was read, and how it failed', async () => {
    inner.beforeRead = () => clock.advance(40)
    await store.latest(fresh())
    await store.readStreams([fresh()])
    inner.beforeRead = () => {
      throw new Error('no')
    }
    await assert.rejects(store.read(fresh()))
    assert.deepEqual(
      telemetry.of('read.duration').map(({ value, attributes }) => [value, attributes]),
      [
        [0.04, { 'oidc_provider_eventstore.operation': 'latest' }],
        [0.04, { 'oidc_provider_eventstore.operation': 'read_streams' }],
        [0, { 'oidc_provider_eventstore.operation': 'read', 'error.type': '_OTHER' }],
      ],
    )
  })

  it('is the store itself where nobody takes what is told, until somebody does', async () => {
    telemetry.isOff = true
    telemetry.trace = TRACE
    const stream = fresh()
    assert.equal((await store.append(commitTo(stream))).trace, undefined)
    await store.latest(stream)
    assert.deepEqual([telemetry.measurements, telemetry.spans], [[], []])
    telemetry.isOff = false
    await store.latest(stream)
    assert.equal(telemetry.of('read.duration').length, 1)
  })
})
