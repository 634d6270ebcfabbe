import assert from 'node:assert/strict'
import { decodeJwt } from 'jose'
import type { ClientMetadata } from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type BackChannelLogout, backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { toEvent, uidOfStream } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { type Op, Person, startOp, testClient } from '../support/op.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'
import { terminated } from '../support/session-log.ts'

describe('an RP that gets its back-channel logout URI while users are logged in', () => {
  let store: MemoryEventStore
  let late: RelyingParty
  let scene: LogoutScene<'other'>
  let port: number | undefined

  beforeEach(async () => {
    store = new MemoryEventStore()
    port = undefined
    late = await startRp('late')
  })

  afterEach(async () => {
    await scene.stop()
    await late.stop()
    await store.close()
  })

  /** The OP, deployed with this client beside the other RP. */
  async function deploy(client: ClientMetadata): Promise<void> {
    if (port !== undefined) await Promise.all([scene.op.stop(), scene.rps.other.stop()])
    scene = await LogoutScene.start(
      { other: {} },
      { store, others: [client], logout: { allowInternal: ['late', 'other'] }, ...(port !== undefined && { port }) },
    )
    port = scene.op.port
    await fetch(scene.op.issuer).catch(() => undefined) // a connection that was kept leads to the OP that is gone
  }

  it('is told, without a sid: no ID token of it had one', async () => {
    await deploy(testClient('late'))
    const alice = new Person(scene.op)
    await alice.authorize('late')
    await deploy(late.metadata)
    await alice.logout()
    const [token = ''] = await late.received(1)
    assert.deepEqual([decodeJwt(token).sub, 'sid' in decodeJwt(token)], ['alice', false])
    const [entry, ...more] = (await scene.receipt()).ends[0]?.relyingParties ?? []
    assert.deepEqual([entry?.clientId, entry?.state, more], ['late', 'confirmed', []])
  })

  it('is told with a sid where a later ID token of the session had it', async () => {
    await deploy(testClient('late'))
    const alice = new Person(scene.op)
    await alice.authorize('late')
    await deploy(late.metadata)
    await alice.authorize('late', { prompt: 'none' })
    await alice.logout()
    const [token = ''] = await late.received(1)
    assert.equal(typeof decodeJwt(token)['sid'], 'string')
  })

  it('is owed nothing while it has none: no delivery, no dead letter, and no entry in the receipt', async () => {
    await deploy(testClient('late'))
    const alice = new Person(scene.op)
    await alice.authorize('late')
    await alice.authorize('other')
    await alice.logout()
    const receipt = await scene.receipt()
    assert.deepEqual(
      receipt.ends[0]?.relyingParties.map(({ clientId }) => clientId),
      ['other'],
    )
    assert.equal(receipt.settled, true)
    assert.equal(await scene.open(), 0)
    for await (const letter of scene.logout.deadLetters()) assert.fail(letter.delivery)
    const types = (await scene.log()).flatMap(({ events }) => events.map(({ type }) => type))
    assert.equal(types.filter((type) => type.startsWith('session_logout.back_channel.')).length, 3)
  })

  it('is asked for the reasons that it wants to hear of, as they are then', async () => {
    await deploy(testClient('late'))
    const alice = new Person(scene.op)
    await alice.authorize('late')
    await alice.authorize('other')
    await deploy({ ...late.metadata, backchannel_logout_initiators: ['account_switched'] })
    await alice.logout()
    await scene.rps.other.received(1)
    await scene.quiet()
    assert.equal(late.tokens.length, 0)
  })

  it('is told of a session that ends without another write of it', async () => {
    const before = await startOp(store, { clients: [testClient('late')] }) // without the plugin
    port = before.port
    await new Person(before).authorize('late')
    await before.stop()
    scene = await LogoutScene.start(
      { other: {} },
      { store, others: [late.metadata], logout: { allowInternal: ['late', 'other'] }, port },
    )
    await fetch(scene.op.issuer).catch(() => undefined)
    const { logins } = await scene.logout.terminateAccount('alice', { actor: 'ops', reason: 'account_disabled' })
    assert.equal(logins, 1)
    const [token = ''] = await late.received(1)
    assert.equal(decodeJwt(token).sub, 'alice')
  })
})

describe('two OPs that share a store, of which the other one plans', () => {
  let store: MemoryEventStore
  let late: RelyingParty
  let planner: Op
  let last: Op
  let logout: BackChannelLogout

  beforeEach(async () => {
    store = new MemoryEventStore()
    late = await startRp('late')
    planner = await startOp(store, { plugins: [backChannelLogout()] }) // starts first, and has the lease
  })

  afterEach(async () => {
    for (const op of [last, planner]) await op.stop()
    await late.stop()
    await store.close()
  })

  /** Somebody logs in while the client has no URI; the session ends; then a process with this client starts. */
  async function ended(client: ClientMetadata): Promise<string> {
    const options = { development: true, allowInternal: ['late'] }
    const first = await startOp(store, { plugins: [backChannelLogout(options)], clients: [testClient('late')] })
    await new Person(first).authorize('late')
    await first.stop()
    const log = await store.readAll({ after: 0, limit: 1_000 })
    const uids = log.flatMap(({ events }) => events.map(({ stream }) => uidOfStream(stream)))
    const uid = String(uids.find((one) => one !== undefined))
    // The process that ended it has died since, and has planned nothing.
    await store.append({ events: [toEvent(uid, terminated('session', { triggered_at_origin: first.issuer }))] })
    logout = backChannelLogout(options)
    last = await startOp(store, { plugins: [logout], clients: [client], port: first.port })
    return uid
  }

  it('an RP that has its URI by then is told', async () => {
    const uid = await ended(late.metadata)
    await late.received(1)
    for await (const { ends } of logout.watch(uid)) {
      const [entry] = ends[0]?.relyingParties ?? []
      if (entry?.state === 'confirmed') break
    }
  })

  for (const [what, client] of [
    ['has none', testClient('late')],
    ['is not there any more', testClient('another')],
  ] as const) {
    it(`an RP that ${what} is owed nothing, and nothing is recorded of it`, async () => {
      const uid = await ended(client)
      const { position } = (await store.readAll({ after: 0, limit: 1_000 })).at(-1) ?? { position: 0 }
      const work = store.work('deliveries')
      while ((await work.get(`${position}/0.0`))?.doneAt === undefined)
        await new Promise((resolve) => setImmediate(resolve))
      assert.deepEqual((await logout.receipt(uid)).ends[0]?.relyingParties, [])
      assert.equal(await store.end(), position)
    })
  }
})
