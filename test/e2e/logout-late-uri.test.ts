import assert from 'node:assert/strict'
import { decodeJwt } from 'jose'
import type { ClientMetadata } from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person, startOp, testClient } from '../support/op.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'

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

describe('two OPs that share a store', () => {
  it('tell such an RP of one of them, whichever plans it', async () => {
    const store = new MemoryEventStore()
    const late = await startRp('late')
    const options = { development: true, allowInternal: ['late'] }
    const planner = await startOp(store, { plugins: [backChannelLogout(options)] }) // has the lease
    const first = await startOp(store, { plugins: [backChannelLogout(options)], clients: [testClient('late')] })
    const alice = new Person(first)
    await alice.authorize('late')
    await first.stop()
    // The process that ended the session does not plan it: it has died since.
    const ending = await startOp(store, { clients: [late.metadata], port: first.port })
    await store.append({
      events: [
        {
          stream: (await streamsOfLogouts(store))[0] ?? '',
          type: 'session_logout.terminated',
          data: { reason: 'rp_initiated', triggered_at_origin: first.issuer, scope: 'session', logins: 1 },
        },
      ],
    })
    await ending.stop()
    const last = await startOp(store, {
      plugins: [backChannelLogout(options)],
      clients: [late.metadata],
      port: first.port,
    })
    try {
      await late.received(1)
    } finally {
      for (const op of [last, planner]) await op.stop()
      await late.stop()
      await store.close()
    }
  })
})

async function streamsOfLogouts(store: MemoryEventStore): Promise<string[]> {
  const log = await store.readAll({ after: 0, limit: 1_000 })
  return log
    .flatMap(({ events }) => events.map(({ stream }) => stream))
    .filter((name) => name.startsWith('session_logout:'))
}
