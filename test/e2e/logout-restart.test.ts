import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { EventStore } from '../../lib/index.ts'
import { sessionLogoutStream, toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { registered, terminated } from '../support/session-log.ts'

describe('the start of back-channel logout', () => {
  let store: EventStore

  beforeEach(() => {
    store = new MemoryEventStore()
  })

  afterEach(() => store.close())

  /** The session of a user ends while no process of the OP runs, in the name of this issuer. */
  async function endOffline(uid: string, issuer: string): Promise<void> {
    const login = registered('rp', 'a-sid', { user_id: store.keys.seal('alice', sessionLogoutStream(uid)) })
    const end = terminated('session', { triggered_at_origin: issuer })
    await store.append({ events: [toEvent(uid, login), toEvent(uid, end)] })
  }

  it('tells nobody of what ended before the first one: RPs were told another way, or have forgotten', async () => {
    await endOffline('old', 'http://op.example.com')
    const scene = await LogoutScene.start({ rp: {} }, { store, issuer: 'http://op.example.com' })
    try {
      await scene.quiet()
      assert.equal(scene.rps.rp.tokens.length, 0)
      await endOffline('new', 'http://op.example.com')
      await scene.receiptOf('new')
      assert.equal(scene.rps.rp.tokens.length, 1)
    } finally {
      await scene.stop()
    }
  })

  it('tells of what ended while nobody ran, and once', async () => {
    const scene = await LogoutScene.start({ rp: {} }, { store, issuer: 'http://op.example.com' })
    await scene.op.stop()
    await endOffline('meanwhile', 'http://op.example.com')
    const again = await LogoutScene.start({ rp: {} }, { store, issuer: 'http://op.example.com' })
    try {
      await again.receiptOf('meanwhile')
      await again.quiet()
      assert.equal(again.rps.rp.tokens.length, 1)
      assert.equal(scene.rps.rp.tokens.length, 0)
    } finally {
      await again.stop()
      await scene.rps.rp.stop()
    }
  })

  it('leaves what another issuer owes on the same log to that one, planned already', async () => {
    const one = await LogoutScene.start({ rp: {} }, { store, issuer: 'http://one.example.com' })
    await endOffline('of-two', 'http://two.example.com')
    assert.equal(await one.open(), 1)
    assert.equal(one.rps.rp.tokens.length, 0)
    const two = await LogoutScene.start({ rp: {} }, { store, issuer: 'http://two.example.com' })
    try {
      await two.receiptOf('of-two')
      assert.equal(two.rps.rp.tokens.length, 1)
      assert.equal(one.rps.rp.tokens.length, 0)
    } finally {
      await one.stop()
      await two.stop()
    }
  })
})
