import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { Plugin } from '../../lib/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person, startOp } from '../support/op.ts'

const DOCUMENTS = ['openid-configuration', 'oauth-authorization-server']
const MEMBERS = ['backchannel_logout_supported', 'backchannel_logout_session_supported']

describe('the gate of back-channel logout', () => {
  let scene: LogoutScene<'rp'>
  let person: Person

  beforeEach(async () => {
    scene = await LogoutScene.start({ rp: {} })
    person = new Person(scene.op)
  })

  afterEach(() => scene.stop())

  async function set(enabled: boolean): Promise<void> {
    await scene.op.eventSourced.features.set('back_channel_logout', enabled, { level: 'instance', actor: 'ann' })
  }

  it('decides what both discovery documents announce, request by request', async () => {
    const both = DOCUMENTS.map(() => [true, true])
    assert.deepEqual(await announced(scene.op), both)
    await set(false)
    assert.deepEqual(await announced(scene.op), [
      [undefined, undefined],
      [undefined, undefined],
    ])
    await set(true)
    assert.deepEqual(await announced(scene.op), both)
  })

  it('shut, lets nothing be registered or sent, and logins and logouts go on', async () => {
    await set(false)
    await person.authorize('rp')
    assert.equal((await person.logout()).status, 303)
    assert.equal(await scene.open(), 0)
    await set(true)
    await scene.quiet()
    assert.deepEqual(await scene.commitsWith('session_logout.back_channel.registered'), [])
    assert.deepEqual(await scene.ended(), [])
    assert.equal(scene.rps.rp.tokens.length, 0)
  })

  it('shut, lets the logout from one RP alone leave no trace either', async () => {
    await set(false)
    await person.authorize('rp')
    assert.equal((await person.confirm(await person.endSession({ client_id: 'rp' }), false)).status, 303)
    assert.deepEqual(await scene.ended(), [])
  })

  it('shut at the logout, lets what was registered before wait until it opens', async () => {
    await person.authorize('rp')
    await set(false)
    await person.logout()
    assert.equal(await scene.open(), 1)
    assert.equal(scene.rps.rp.tokens.length, 0)
    await set(true)
    await scene.rps.rp.received(1)
    assert.equal((await scene.receipt()).ends[0]?.relyingParties[0]?.state, 'confirmed')
  })

  it('shut for an hour, takes that hour out of the time to logout', async () => {
    const clock = new FakeClock()
    const timed = await LogoutScene.start({ rp: {} }, { store: new MemoryEventStore({ clock }) })
    const { features } = timed.op.eventSourced
    try {
      const user = new Person(timed.op)
      await user.authorize('rp')
      await features.set('back_channel_logout', false, { level: 'system', actor: 'ann' })
      await user.logout()
      clock.jumpWall(3_600_000)
      await features.reset('back_channel_logout', { level: 'system', actor: 'ann' })
      const [end] = (await timed.receipt()).ends
      assert.equal(end?.timeToLogoutMs, 0)
      assert.equal(end.relyingParties[0]?.at, end.at + 3_600_000)
      for await (const { ends } of timed.logout.history()) assert.equal(ends[0]?.timeToLogoutMs, 0)
    } finally {
      await timed.stop()
    }
  })

  it('opened later, registers sessions that are older at their next write', async () => {
    await set(false)
    await person.authorize('rp')
    await set(true)
    await person.authorize('rp')
    await person.logout()
    await scene.rps.rp.received(1)
  })

  it('is shut where the configuration says so, until an operator opens it; reset, it is shut again', async () => {
    const off = await LogoutScene.start({ rp: {} }, { logout: { enabled: false } })
    const { features } = off.op.eventSourced
    try {
      assert.deepEqual((await announced(off.op))[0], [undefined, undefined])
      const user = new Person(off.op)
      await user.authorize('rp')
      await user.logout()
      assert.deepEqual(await off.ended(), [])
      await features.set('back_channel_logout', true, { level: 'system', actor: 'ann' })
      assert.deepEqual((await announced(off.op))[0], [true, true])
      await user.authorize('rp')
      await user.logout()
      await off.rps.rp.received(1)
      await features.reset('back_channel_logout', { level: 'system', actor: 'ann' })
      assert.deepEqual((await announced(off.op))[0], [undefined, undefined])
    } finally {
      await off.stop()
    }
  })
})

describe('what operators have set', () => {
  it('is read while an OP with plugins runs, and no more after a stop or a start that failed', async () => {
    const clock = new FakeClock()
    const store = new MemoryEventStore({ clock })
    let fails = true
    const plugin: Plugin = {
      name: 'a plugin',
      start: async () => {
        if (fails) throw new Error('not now')
      },
      stop: async () => {},
    }
    const op = await startOp(store, { clock, plugins: [plugin], attach: false })
    await assert.rejects(op.eventSourced.start(op.provider), /not now/)
    assert.equal(clock.pending, 0)
    fails = false
    await op.eventSourced.start(op.provider)
    assert.equal(clock.pending, 3) // for the heartbeat, for the look that comes anyhow, for retention
    await op.stop()
    assert.equal(clock.pending, 0)
    await store.close()
  })
})

/** What each discovery document says of back-channel logout. */
async function announced({ issuer }: { readonly issuer: string }): Promise<unknown[][]> {
  return Promise.all(
    DOCUMENTS.map(async (name) => {
      const document = (await (await fetch(`${issuer}/.well-known/${name}`)).json()) as Record<string, unknown>
      assert.equal(document['issuer'], issuer)
      return MEMBERS.map((member) => document[member])
    }),
  )
}
