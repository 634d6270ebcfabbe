import assert from 'node:assert/strict'
import { OptionInvalidError } from '../../lib/index.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'

describe('a session that a newer version has written to', () => {
  let scene: LogoutScene<'rp'>
  let alice: Person

  beforeEach(async () => {
    scene = await LogoutScene.start({ rp: {} })
    alice = new Person(scene.op)
    await alice.authorize('rp')
    const log = await scene.log()
    const [login] = log.flatMap(({ events }) => events).filter(({ type }) => type.endsWith('.registered'))
    const stream = String(login?.stream)
    await scene.store.append({ events: [{ stream, type: 'session_logout.back_channel.something_new', data: {} }] })
  })

  afterEach(() => scene.stop())

  it('keeps nobody else from being logged out, and is told as parked', async () => {
    await alice.logout()
    const bob = new Person(scene.op)
    await bob.authorize('rp', { login: 'bob' })
    await bob.logout()
    await scene.rps.rp.received(1)
    await scene.quiet()
    const found = []
    for await (const one of scene.logout.parked({ limit: 10 })) found.push(one)
    const [parked, ...more] = found
    assert.deepEqual(more, [])
    const [end] = await scene.commitsWith('session_logout.terminated')
    assert.equal(parked?.position, end?.position)
    assert.match(String(parked?.failureReason), /something_new/)
    assert.deepEqual(await scene.logout.retryParked({ actor: 'ann' }), { planned: 0, parked: 1 })
  })

  it('refuses to try again what cannot be', async () => {
    const { logout } = scene
    await assert.rejects(logout.retryParked({ actor: '' }), OptionInvalidError)
    await assert.rejects(logout.retryParked({ actor: 'ann', position: 0 }), OptionInvalidError)
    await assert.rejects(logout.retryParked({ actor: 'ann', position: 1.5 }), OptionInvalidError)
    assert.deepEqual(await logout.retryParked({ actor: 'ann', position: 1 }), { planned: 0, parked: 0 })
    await assert.rejects(logout.retryParked({ actor: 'ann', all: true } as never), OptionInvalidError)
    assert.throws(() => logout.parked({ order: 'newest' } as never), OptionInvalidError)
    assert.throws(() => logout.parked({ limit: 0 }), OptionInvalidError)
  })
})

describe('a parked commit', () => {
  it('is planned by a process that starts later and knows what it is about', async () => {
    const scene = await LogoutScene.start({ rp: {} })
    try {
      const alice = new Person(scene.op)
      await alice.authorize('rp')
      const { readStreams } = scene.store
      scene.store.readStreams = async (streams, options) => {
        if (streams.some((name) => name.startsWith('session_logout:'))) throw new Error('this version cannot read it')
        return readStreams.call(scene.store, streams, options)
      }
      await alice.logout()
      while ((await scene.commitsWith('planner.commit_parked')).length === 0)
        await new Promise((resolve) => setImmediate(resolve))
      scene.store.readStreams = readStreams
      await scene.op.eventSourced.stop()
      await scene.op.eventSourced.start(scene.op.provider)
      await scene.rps.rp.received(1)
      while ((await scene.commitsWith('planner.commit_planned')).length === 0)
        await new Promise((resolve) => setImmediate(resolve))
      for await (const { position } of scene.logout.parked()) assert.fail(`${position} is parked`)
    } finally {
      await scene.stop()
    }
  })

  it('of an account keeps it from being forgotten, until its RPs can be told', async () => {
    const scene = await LogoutScene.start({ rp: {} })
    try {
      const [alice, bob] = [new Person(scene.op), new Person(scene.op)]
      await alice.authorize('rp', { login: 'alice' })
      await bob.authorize('rp', { login: 'bob' })
      const { readStreams } = scene.store
      scene.store.readStreams = async (streams, options) => {
        if (streams.some((name) => name.startsWith('session_logout:'))) throw new Error('this version cannot read it')
        return readStreams.call(scene.store, streams, options)
      }
      const { eventSourced } = scene.op
      await assert.rejects(() => eventSourced.forget('alice', { actor: 'ann' }), {
        code: 'ERASURE_UNFINISHED',
        message: /parked/,
      })
      scene.store.readStreams = readStreams
      await eventSourced.forget('bob', { actor: 'ann', settleMs: 0 }) // it is somebody else's
      assert.ok((await scene.logout.retryParked({ actor: 'ann' })).planned > 0)
      await eventSourced.forget('alice', { actor: 'ann', settleMs: 0 })
      const tokens = await scene.rps.rp.received(2)
      const told = await Promise.all(tokens.map((token) => scene.rps.rp.verify(token, scene.op.issuer)))
      assert.deepEqual(told.map(({ sub }) => sub).sort(), ['alice', 'bob'])
    } finally {
      await scene.stop()
    }
  })
})
