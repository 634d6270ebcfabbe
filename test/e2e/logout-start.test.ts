import assert from 'node:assert/strict'
import Provider from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type EventStore, eventSourced, type Host, type ProviderLike, StoreUnavailableError } from '../../lib/index.ts'
import { PLANNER } from '../../plugins/back-channel-logout/delivery/planner.ts'
import { type BackChannelLogout, backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import type { OidcProvider } from '../../plugins/back-channel-logout/provider-internals.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { hostOf } from '../support/host.ts'
import { KeptLog } from '../support/kept-log.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { type Op, Person, startOp, testClient, testConfiguration, withoutNotices } from '../support/op.ts'

/** The planner, the deliveries, the ends of sessions. */
const MEMBERS = 3

describe('back-channel logout that is started again', () => {
  let scene: LogoutScene<'rp'>
  let host: Host

  beforeEach(async () => {
    scene = await LogoutScene.start({ rp: {} }, { measured: false })
    host = hostOf(scene.store, providerOf(scene.op))
  })

  afterEach(() => scene.stop())

  it('tells RPs as before, and of what ended in between', async () => {
    for (let round = 1; round <= 3; round++) {
      const person = new Person(scene.op)
      await person.authorize('rp')
      await scene.logout.stop()
      await person.logout()
      await scene.logout.start(host)
      await scene.rps.rp.received(round)
    }
    await scene.quiet()
    assert.equal(scene.rps.rp.tokens.length, 3)
  })

  it('leaves the provider as the first start has made it', async () => {
    const { Client } = scene.op.provider as unknown as OidcProvider
    const { find } = Client
    for (let round = 0; round < 3; round++) {
      await scene.logout.stop()
      await scene.logout.start(host)
    }
    assert.equal(Client.find, find)
  })

  it('is one start, however often it is told, and waits for a stop that is under way', async () => {
    await Promise.all([scene.logout.start(host), scene.logout.start(host)])
    await Promise.all([scene.logout.stop(), scene.logout.stop(), scene.logout.start(host), scene.logout.start(host)])
    assert.equal((await scene.store.liveness.beat([])).signs.length, MEMBERS)
    await tells(scene, 1)
  })

  it('has no receipts while it is stopped', async () => {
    await scene.logout.stop()
    await assert.rejects(scene.logout.receipt('uid'), { code: 'PROVIDER_UNFIT' })
    await scene.logout.start(host)
    assert.deepEqual((await scene.logout.receipt('uid')).ends, [])
  })
})

describe('a start of back-channel logout that fails', () => {
  for (const what of ['the end of the log', 'what is open', 'the first sign of life'] as const) {
    it(`leaves nothing that runs, and can be repeated: ${what} cannot be had`, async () => {
      const scene = await LogoutScene.start({ rp: {} }, { attach: false, measured: false })
      const host = hostOf(scene.store, providerOf(scene.op))
      try {
        const mend = breaking(scene.store, what)
        await assert.rejects(scene.logout.start(host), { code: 'STORE_UNAVAILABLE' })
        await assert.rejects(scene.logout.receipt('uid'), { code: 'PROVIDER_UNFIT' })
        mend()
        for (const { holder } of await scene.store.consumers.list()) assert.equal(holder, undefined)
        assert.deepEqual((await scene.store.liveness.beat([])).signs, [])
        await scene.op.eventSourced.start(scene.op.provider)
        assert.equal((await scene.store.liveness.beat([])).signs.length, MEMBERS)
        assert.deepEqual((await scene.logout.receipt('uid')).ends, [])
      } finally {
        await scene.stop()
      }
    })
  }
})

describe('a stop of back-channel logout while the database hangs', () => {
  it('does not wait for the planner to give its lease back', async () => {
    const scene = await LogoutScene.start({ rp: {} }, { attach: false, measured: false })
    const clock = new FakeClock()
    const log = new KeptLog()
    try {
      await scene.logout.start({ ...hostOf(scene.store, providerOf(scene.op)), clock, logger: log })
      const { consumers } = scene.store
      while (!(await consumers.get(PLANNER))?.holder) await clock.advance(0)
      const { release } = consumers
      consumers.release = () => new Promise(() => {})
      const stopping = scene.logout.stop()
      await clock.advance(12_000)
      await stopping
      consumers.release = release
      assert.equal(log.of(/consumer could not be stopped in time/).length, 1)
    } finally {
      await scene.stop()
    }
  })
})

describe('one back-channel logout for two providers', () => {
  let store: EventStore
  let logout: BackChannelLogout
  let scene: LogoutScene<'rp'>
  let other: Op

  beforeEach(async () => {
    scene = await LogoutScene.start({ rp: {} }, { measured: false })
    ;({ store, logout } = scene)
    other = await startOp(store, { clients: [testClient('rp')] })
  })

  afterEach(async () => {
    await other.stop()
    await scene.stop()
  })

  it('is refused: the sessions of one would end in the name of the other', async () => {
    const second = eventSourced(store, { plugins: [logout] })
    const configuration = second.configure(await testConfiguration({}))
    const provider = withoutNotices(() => new Provider('http://127.0.0.1:3000', configuration))
    await assert.rejects(second.start(provider), { code: 'PROVIDER_UNFIT' })
  })

  it('goes on for the first', async () => {
    await assert.rejects(logout.start(hostOf(store, providerOf(other))), { code: 'PROVIDER_UNFIT' })
    await tells(scene, 1)
  })

  it('is refused after a stop too, since the first one’s requests are still observed', async () => {
    await logout.stop()
    await assert.rejects(logout.start(hostOf(store, providerOf(other))), { code: 'PROVIDER_UNFIT' })
    await logout.start(hostOf(store, providerOf(scene.op)))
    await tells(scene, 1)
  })

  it('is refused when both come at once', async () => {
    const shared = backChannelLogout()
    const configuration = { features: { backchannelLogout: { enabled: true } } }
    const one = await startOp(store, { clients: [testClient('rp')], configuration })
    const [first, second] = await Promise.allSettled(
      [one, other].map((op) => shared.start(hostOf(store, providerOf(op)))),
    )
    assert.deepEqual([first?.status, second?.status], ['fulfilled', 'rejected'])
    await shared.stop()
    await one.stop()
  })

  it('is refused for another store of the same provider', async () => {
    const another = new MemoryEventStore()
    await assert.rejects(logout.start(hostOf(another, providerOf(scene.op))), { code: 'PROVIDER_UNFIT' })
    await another.close()
  })
})

function providerOf({ provider }: Op): ProviderLike {
  return provider as unknown as ProviderLike
}

/** Somebody logs out, and the RP is told, so many times in all. */
async function tells({ op, rps }: LogoutScene<'rp'>, times: number): Promise<void> {
  const person = new Person(op)
  await person.authorize('rp')
  await person.logout()
  await rps.rp.received(times)
}

/** Returns what mends it. */
function breaking(
  store: EventStore,
  what: 'the end of the log' | 'what is open' | 'the first sign of life',
): () => void {
  const away = async (): Promise<never> => {
    throw new StoreUnavailableError('a hiccup')
  }
  const work = store.work('deliveries')
  const { end } = store
  const { liveness } = store
  const { open } = work
  const { beat } = liveness
  if (what === 'the end of the log') store.end = away
  else if (what === 'what is open') work.open = away
  else liveness.beat = away
  return () => Object.assign(work, { open }) && Object.assign(liveness, { beat }) && Object.assign(store, { end })
}
