import assert from 'node:assert/strict'
import { decodeJwt } from 'jose'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { EventStore, Plugin } from '../../lib/index.ts'
import { PLANNER } from '../../plugins/back-channel-logout/delivery/planner.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Client, type Op, Person, startOp, testClient } from '../support/op.ts'

const RPS = ['rp-one', 'rp-two'] as const

describe('back-channel logout on an event store that was used without it', () => {
  let store: EventStore
  let before: Op
  let alice: Person
  let scene: LogoutScene<(typeof RPS)[number]> | undefined

  beforeEach(async () => {
    store = new MemoryEventStore()
    before = await startOp(store, { clients: RPS.map((id) => testClient(id)), plugins: [closesConnections] })
    alice = new Person(before)
  })

  afterEach(async () => {
    if (!scene) return
    await scene.stop()
    scene = undefined
  })

  /** The same OP, deployed anew with the plugin. */
  async function cutOver(): Promise<LogoutScene<(typeof RPS)[number]>> {
    await before.stop()
    scene = await LogoutScene.start({ 'rp-one': {}, 'rp-two': {} }, { store, port: before.port })
    assert.equal(scene.op.issuer, before.issuer)
    return scene
  }

  it('begins at the end of the log, and tells nobody of who logged out before', async () => {
    await alice.authorize('rp-one')
    await alice.logout()
    const end = await store.end()
    const now = await cutOver()
    assert.equal((await store.consumers.get(PLANNER))?.position, end)
    await now.quiet()
    assert.deepEqual(await now.ended(), [])
    assert.deepEqual(now.rps['rp-one'].tokens, [])
  })

  it('loses nothing of what was there: a code is exchanged, a session goes on', async () => {
    const code = String((await alice.authorize('rp-one')).get('code'))
    const now = await cutOver()
    assert.equal((await new Client(now.op, now.rps['rp-one'].metadata).exchange(code)).status, 200)
    assert.ok((await alice.authorize('rp-one', { prompt: 'none' })).has('code'))
  })

  it('registers older sessions, with all their logins, at their next write', async () => {
    for (const id of RPS) await alice.authorize(id)
    const now = await cutOver()
    assert.deepEqual(await registered(now), [])
    await alice.authorize('rp-one', { prompt: 'none' })
    assert.deepEqual((await registered(now)).sort(), [...RPS])
    await alice.logout()
    for (const id of RPS) {
      const [token = ''] = await now.rps[id].received(1)
      assert.equal((await now.rps[id].verify(token, now.op.issuer)).sub, 'alice')
    }
  })

  it('takes the question whether to log out for such a write: the first thing that a user does may be to leave', async () => {
    await alice.authorize('rp-one')
    const now = await cutOver()
    await alice.logout()
    await now.rps['rp-one'].received(1)
    const [uid = ''] = await now.ended()
    assert.equal((await now.receiptOf(uid)).ends[0]?.reason, 'rp_initiated')
  })

  it('sends a sid only for a login of which an ID token had it', async () => {
    for (const id of RPS) {
      const code = String((await alice.authorize(id)).get('code'))
      const { body } = await new Client(before, testClient(id)).exchange(code)
      assert.ok(!('sid' in decodeJwt(String(body['id_token']))))
    }
    const now = await cutOver()
    const code = String((await alice.authorize('rp-one', { prompt: 'none' })).get('code'))
    const { body } = await new Client(now.op, now.rps['rp-one'].metadata).exchange(code)
    await alice.logout()
    const [one = ''] = await now.rps['rp-one'].received(1)
    assert.equal(decodeJwt(one)['sid'], decodeJwt(String(body['id_token']))['sid'])
    const [two = ''] = await now.rps['rp-two'].received(1)
    assert.deepEqual([decodeJwt(two)['sub'], 'sid' in decodeJwt(two)], ['alice', false])
  })

  it('takes an RP’s own wish to log out for no login of it', async () => {
    for (const id of RPS) await alice.authorize(id)
    const now = await cutOver()
    await alice.authorize('rp-one', { prompt: 'none' })
    await alice.logout({ client_id: 'rp-two' })
    const [two = ''] = await now.rps['rp-two'].received(1)
    assert.ok(!('sid' in decodeJwt(two)))
  })
})

/** A connection that was kept would lead the next request to an OP that is gone by then. */
const closesConnections: Plugin = {
  name: 'closes_connections',
  middleware: async (ctx, next) => {
    ctx.set('Connection', 'close')
    await next()
  },
  start: async () => {},
  stop: async () => {},
}

async function registered(scene: LogoutScene<string>): Promise<string[]> {
  const commits = await scene.commitsWith('session_logout.back_channel.registered')
  return commits
    .flatMap(({ events }) => events)
    .filter(({ type }) => type === 'session_logout.back_channel.registered')
    .map(({ data }) => String(data['client_id']))
}
