import assert from 'node:assert/strict'
import type { Attributes } from '../../lib/index.ts'
import type { Delivery } from '../../plugins/back-channel-logout/delivery/delivery.ts'
import { DeliveryMeasures } from '../../plugins/back-channel-logout/delivery/delivery-measures.ts'
import { type Behaviour, DispatchScene, hangs, OP, says } from '../support/dispatch-scene.ts'

const MESSAGE: Attributes = {
  'messaging.system': 'oidc_back_channel_logout',
  'messaging.operation.name': 'send',
  'messaging.operation.type': 'send',
  'oidc_provider_eventstore.issuer': OP,
}
const ABOUT: Attributes = { 'oidc_provider_eventstore.issuer': OP, 'messaging.destination.name': 'rp' }
const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

describe('what is measured of deliveries', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })
  afterEach(() => scene.stop())

  /** Each measurement of this name: its value and its attributes. */
  const measured = (name: string): (readonly [number, Attributes])[] =>
    scene.telemetry.of(name).map(({ value, attributes }) => [value, attributes])

  async function owed(behaviour: Behaviour, forMs = 0): Promise<void> {
    scene.client('rp', behaviour)
    await scene.owe('rp')
    await scene.dispatcher({ retryDelaysMs: [5_000] })
    await scene.clock.advance(forMs)
  }

  it('is a confirmation: the message, the attempt, the outcome and the time to logout', async () => {
    await owed(() => says(200))
    const about = { ...MESSAGE, 'messaging.destination.name': 'rp' }
    assert.deepEqual(measured('sent.messages'), [[1, about]])
    assert.deepEqual(measured('operation.duration'), [[0, about]])
    assert.deepEqual(measured('logout.deliveries'), [
      [1, { ...ABOUT, 'oidc_provider_eventstore.outcome': 'confirmed' }],
    ])
    assert.deepEqual(measured('time_to_logout'), [[0, ABOUT]])
  })

  it('is a failure that is tried again, then the time to logout with the wait in it', async () => {
    let status = 503
    await owed(() => says(status))
    assert.deepEqual(
      measured('sent.messages').map(([, attributes]) => attributes['error.type']),
      ['503'],
    )
    assert.deepEqual(measured('logout.deliveries'), [])
    status = 204
    await scene.clock.advance(5_000)
    assert.deepEqual(
      measured('sent.messages').map(([, attributes]) => attributes['error.type']),
      ['503', undefined],
    )
    assert.deepEqual(measured('time_to_logout'), [[5, ABOUT]])
  })

  for (const [outcome, status, errors] of [
    ['rejected', 410, ['410']],
    ['abandoned', 500, ['500', '500']],
  ] as const) {
    it(`is that a delivery was ${outcome}, where its RP answers ${status}`, async () => {
      await owed(() => says(status), 10_000)
      assert.deepEqual(
        measured('sent.messages').map(([, attributes]) => attributes['error.type']),
        errors,
      )
      assert.deepEqual(measured('logout.deliveries'), [[1, { ...ABOUT, 'oidc_provider_eventstore.outcome': outcome }]])
      assert.deepEqual(measured('time_to_logout'), [])
    })
  }

  it('is that an RP does not answer, after the time-out', async () => {
    await owed(hangs, 4_999)
    assert.deepEqual(measured('operation.duration'), [])
    await scene.clock.advance(10_000)
    const [[seconds, attributes] = [0, {}]] = measured('operation.duration')
    assert.equal(attributes['error.type'], 'no_answer')
    assert.ok(seconds >= 5, String(seconds))
  })

  it('is that nobody is there any more, and that a delivery is too old', async () => {
    await scene.recordClient('gone', 'destroyed')
    await scene.owe('gone')
    scene.client('rp', () => says(503))
    scene.policy = { ...scene.policy, maxAgeMs: 1_000 }
    await scene.owe('rp')
    await scene.dispatcher({ retryDelaysMs: [5_000] })
    await scene.clock.advance(120_000)
    assert.deepEqual(
      measured('logout.deliveries').map(([, attributes]) => [
        attributes['messaging.destination.name'],
        attributes['oidc_provider_eventstore.outcome'],
      ]),
      [
        ['gone', 'no_recipient'],
        ['rp', 'expired'],
      ],
    )
  })

  it('is a span for each attempt, a trace of its own, linked to what ended the session', async () => {
    scene.client('rp', () => says(503))
    scene.trace = TRACE
    await scene.owe('rp')
    const [row] = await scene.store.work('deliveries').open({ limit: 1 })
    await scene.dispatcher({ retryDelaysMs: [5_000] })
    await scene.clock.advance(6_000)
    const spans = scene.telemetry.spans.filter(({ name }) => name === 'send logout token')
    assert.deepEqual(
      spans.map(({ kind, isRoot, links, failed, attributes }) => ({ kind, isRoot, links, failed, attributes })),
      [1, 2].map((attempt) => ({
        kind: 'client',
        isRoot: true,
        links: [TRACE],
        failed: '503',
        attributes: {
          ...MESSAGE,
          'messaging.destination.name': 'rp',
          'messaging.message.id': row?.id,
          'oidc_provider_eventstore.attempt': attempt,
          'oidc_provider_eventstore.outcome': attempt === 1 ? 'attempt_failed' : 'abandoned',
          'http.response.status_code': 503,
          'server.address': 'rp.example.com',
        },
      })),
    )
  })

  it('says of a span that nothing was sent', async () => {
    scene.client('rp')
    await scene.owe('rp')
    scene.makeToken = async () => {
      scene.paused.add('rp')
      return 'rp/1'
    }
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.deepEqual(scene.posts, [])
    assert.equal(scene.telemetry.spans.at(-1)?.attributes['oidc_provider_eventstore.outcome'], 'not_now')
    assert.deepEqual(scene.telemetry.measurements, [])
  })

  it('tells statuses apart that are usual, and others by their class: an RP may answer any', async () => {
    const statuses = [...Array.from({ length: 57 }, (_, index) => 200 + 7 * index), 302, 404, 503]
    scene.client('rp', () => says(statuses.shift() ?? 599))
    await scene.owe('rp', 10)
    await scene.dispatcher({ retryDelaysMs: Array(20).fill(1_000) })
    await scene.clock.advance(3_600_000)
    assert.deepEqual(statuses, [])
    const told = new Set(measured('sent.messages').map(([, attributes]) => String(attributes['error.type'])))
    assert.ok(told.size <= 26, [...told].join())
    for (const one of ['3xx', '404', '4xx', '503', '5xx']) assert.ok(told.has(one), [...told].join())
  })

  it('tells 500 clients apart, and no more', async () => {
    for (let n = 0; n < 510; n++) {
      scene.client(`rp-${n}`)
      await scene.owe(`rp-${n}`)
    }
    await scene.dispatcher()
    await scene.clock.advance(60_000)
    const names = scene.telemetry.of('sent.messages').map(({ attributes }) => attributes['messaging.destination.name'])
    assert.equal(names.length, 510)
    assert.equal(new Set(names).size, 501)
    assert.equal(names.filter((name) => name === '_OTHER').length, 10)
  })

  it('tells the clients of the configuration apart, however many others were told before', () => {
    const measures = new DeliveryMeasures(scene.telemetry, OP, ['mine'])
    const end = (clientId: string): void => measures.ended({ clientId } as Delivery, 'confirmed')
    for (let n = 0; n < 510; n++) end(`stranger-${n}`)
    end('mine')
    const names = scene.telemetry
      .of('logout.deliveries')
      .map(({ attributes }) => attributes['messaging.destination.name'])
    assert.equal(new Set(names).size, 502)
    assert.equal(names.at(-1), 'mine')
  })
})
