import assert from 'node:assert/strict'
import Provider from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import {
  Consumer,
  type ConsumerOptions,
  type EventSourced,
  eventSourced,
  StoreUnavailableError,
} from '../../lib/index.ts'
import { type BackChannelLogout, backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { Client, Person, startOp, testClient, testConfiguration, withoutNotices } from '../support/op.ts'
import { SteeredStore } from '../support/steered-store.ts'

describe('starting', () => {
  let store: FlakyStore
  let logout: BackChannelLogout
  let op: EventSourced

  beforeEach(() => {
    store = new FlakyStore(new MemoryEventStore())
    logout = backChannelLogout()
    op = eventSourced(store, { plugins: [logout] })
  })
  afterEach(async () => {
    await op.stop()
    await store.close()
  })

  async function provider(issuer = 'http://127.0.0.1:3000'): Promise<Provider> {
    const configuration = op.configure(await testConfiguration({}))
    return withoutNotices(() => new Provider(issuer, configuration))
  }

  it('can be tried again after it failed', async () => {
    store.hiccups = 1
    const made = await provider()
    await assert.rejects(op.start(made), { code: 'STORE_UNAVAILABLE' })
    await op.start(made)
    assert.deepEqual((await logout.receipt('uid')).ends, [])
  })

  it('starts again what was stopped', async () => {
    const made = await provider()
    await op.start(made)
    await op.stop()
    await assert.rejects(logout.receipt('uid'), { code: 'PROVIDER_UNFIT' })
    await op.start(made)
    assert.deepEqual((await logout.receipt('uid')).ends, [])
  })

  it('starts again what is being stopped, once it has stopped', async () => {
    const made = await provider()
    await op.start(made)
    const stopped = [op.stop(), op.stop()]
    await Promise.all([op.start(made), op.start(made), ...stopped])
    assert.deepEqual((await logout.receipt('uid')).ends, [])
    store.hiccups = 1
    await op.stop()
    const failed = op.start(made)
    const stoppedAgain = op.stop()
    const started = op.start(made)
    await assert.rejects(failed, { code: 'STORE_UNAVAILABLE' })
    await Promise.all([stoppedAgain, started])
    assert.deepEqual((await logout.receipt('uid')).ends, [])
  })

  it('is refused for another provider', async () => {
    await op.start(await provider())
    await assert.rejects(op.start(await provider('http://127.0.0.1:3001')), { code: 'PROVIDER_UNFIT' })
  })

  for (const missing of ['use', 'issuer', 'Session', 'Client'] as const) {
    it(`is refused for what is no provider: it has no ${missing}`, async () => {
      const like = {
        issuer: 'https://op.example.com',
        use: () => {},
        Client: { find: async () => undefined, adapter: op.adapter('Client') },
        Session: class {},
      }
      await assert.rejects(op.start({ ...like, [missing]: undefined } as never), { code: 'PROVIDER_UNFIT' })
    })
  }

  for (const nothing of [undefined, null, {}, 'https://op.example.com'])
    it(`is refused for ${JSON.stringify(nothing)}`, () =>
      assert.rejects(op.start(nothing as never), { code: 'PROVIDER_UNFIT' }))

  it('is refused for a provider that was made without configure(), whose state would be elsewhere', async () => {
    const configuration = await testConfiguration({})
    const forgotten = withoutNotices(() => new Provider('http://127.0.0.1:3000', configuration))
    await assert.rejects(op.start(forgotten), { code: 'PROVIDER_UNFIT', message: /does not keep its state in the log/ })
  })

  it('is refused where something else has replaced the features that configure() has set', async () => {
    const configuration = op.configure(await testConfiguration({}))
    const features = { rpInitiatedLogout: { enabled: true } }
    const replaced = withoutNotices(() => new Provider('http://127.0.0.1:3000', { ...configuration, features }))
    const message =
      /features\.backchannelLogout of this provider is off: give all of the configuration to configure\(\)/
    await assert.rejects(op.start(replaced), { code: 'PROVIDER_UNFIT', message })
  })

  it('succeeds where that cannot be told, since clients need keys', async () => {
    const configuration = await testConfiguration({ clients: [] })
    const strict = op.configure({ ...configuration, clientAuthMethods: ['private_key_jwt'] })
    await op.start(withoutNotices(() => new Provider('http://127.0.0.1:3000', strict)))
  })

  it('is not begun with what contradicts it', () => {
    for (const [option, contradict] of [
      ['adapter', () => op.configure({ adapter: () => ({}) } as object)],
      [
        'features.backchannelLogout.enabled',
        () => op.configure({ features: { backchannelLogout: { enabled: false } } }),
      ],
      ['plugins[0]', () => eventSourced(store, { plugins: [backChannelLogout as unknown as BackChannelLogout] })],
      ['handle', () => new Consumer({ store, name: 'mine' } as unknown as ConsumerOptions)],
      ['store', () => new Consumer({ name: 'mine', handle: async () => {} } as unknown as ConsumerOptions)],
      ['handler', () => new Consumer({ store, name: 'mine', handler: 1 } as unknown as ConsumerOptions)],
    ] as const) {
      assert.throws(contradict, { code: 'OPTION_INVALID', option })
    }
  })

  it('of a consumer needs a position', async () => {
    const consumer = new Consumer({ store, name: 'mine', handle: async () => {} })
    await assert.rejects(consumer.start(undefined as unknown as number), { code: 'OPTION_INVALID', option: 'from' })
    assert.deepEqual(await store.consumers.list(), [])
  })

  it('leaves a request of another provider alone, which may use the models of this one', async () => {
    const other = new SteeredStore(new MemoryEventStore())
    const made = await provider()
    await op.start(made)
    const found: unknown[] = []
    const one = await startOp(other, {
      configuration: {
        extraTokenClaims: async () => {
          found.push(await made.Client.find('nobody'))
          return undefined
        },
      },
    })
    const code = (await new Person(one).authorize('rp')).get('code') ?? ''
    assert.equal((await new Client(one, testClient('rp')).exchange(code)).status, 200)
    assert.deepEqual(found, [undefined])
    await one.stop()
    await other.close()
  })
})

class FlakyStore extends SteeredStore {
  hiccups = 0

  override async end(): Promise<number> {
    if (this.hiccups-- > 0) throw new StoreUnavailableError('a hiccup')
    return super.end()
  }
}
