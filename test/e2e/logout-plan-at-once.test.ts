import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { ConsumerRecord } from '../../lib/index.ts'
import { PLANNER } from '../../plugins/back-channel-logout/delivery/planner.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'

describe('a session that ends while another process is the planner, and does not get to it', () => {
  let store: MemoryEventStore
  let lease: ConsumerRecord
  let scene: LogoutScene<'one' | 'two'>

  beforeEach(async () => {
    store = new MemoryEventStore()
    await store.consumers.ensure(PLANNER, 0)
    const free = await store.consumers.get(PLANNER)
    assert.ok(free)
    const taken = await store.consumers.take(free, 'another process')
    assert.ok(taken)
    lease = taken
    scene = await LogoutScene.start({ one: {}, two: {} }, { store })
  })

  afterEach(() => scene.stop())

  async function loggedIn(): Promise<Person> {
    const person = new Person(scene.op)
    await person.authorize('one')
    await person.authorize('two')
    return person
  }

  it('is told all the same, and once: the planner makes the same deliveries', async () => {
    const person = await loggedIn()
    await person.logout()
    await Promise.all([scene.rps.one.received(1), scene.rps.two.received(1)])
    await scene.receipt()
    assert.equal((await store.consumers.get(PLANNER))?.position, 0)
    await store.consumers.release(PLANNER, lease.token)
    await scene.quiet()
    assert.deepEqual([scene.rps.one.tokens.length, scene.rps.two.tokens.length], [1, 1])
  })

  it('is told where an operator ends it', async () => {
    const person = await loggedIn()
    const session = await scene.op.provider.Session.find(String(person.agent.cookie('_session')))
    await scene.logout.terminateSession(String(session?.uid), { actor: 'ops' })
    await Promise.all([scene.rps.one.received(1), scene.rps.two.received(1)])
    assert.equal((await store.consumers.get(PLANNER))?.position, 0)
  })

  it('is told later where planning it at once failed', async () => {
    const person = await loggedIn()
    const { readStreams } = store
    let failed = 0
    store.readStreams = async (streams, options) => {
      if (!streams.some((name) => name.startsWith('session_logout:'))) return readStreams.call(store, streams, options)
      failed += 1
      throw new Error('not now')
    }
    await person.logout()
    while (failed === 0) await new Promise((resolve) => setImmediate(resolve))
    store.readStreams = readStreams
    assert.deepEqual([scene.rps.one.tokens.length, scene.rps.two.tokens.length], [0, 0])
    await store.consumers.release(PLANNER, lease.token)
    await Promise.all([scene.rps.one.received(1), scene.rps.two.received(1)])
  })
})
