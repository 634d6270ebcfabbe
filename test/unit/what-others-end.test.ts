import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { EventStore } from '../../lib/index.ts'
import { ModelLog } from '../../lib/provider/model-log.ts'
import { RecentSessions } from '../../lib/provider/recent-sessions.ts'
import { UnitSessionTerminator } from '../../lib/provider/session-terminator.ts'
import { UnitOfWork } from '../../lib/provider/unit-of-work.ts'
import { WriteTurns } from '../../lib/provider/write-turns.ts'
import { rekeyLog } from '../../lib/rekey/rekey.ts'
import { keysNamed, withKeys } from '../contract/provider-adapter/adapter-under-test.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { dailyRetention, type OpOnLog, opOnLog, passDays } from '../support/op-on-log.ts'

const FORMER = keysNamed(['s1'], ['h1'])
const BOTH = keysNamed(['s2', 's1'], ['h2', 'h1'])
const NEW = keysNamed(['s2'], ['h2'])
const [A, B] = ['https://a.example.com', 'https://b.example.com']

describe('what ends, beside keys that change, retention, and other issuers of the log', () => {
  let clock: FakeClock
  let store: MemoryEventStore
  let exp: number

  beforeEach(() => {
    clock = new FakeClock()
    store = new MemoryEventStore({ keys: FORMER, clock })
    exp = Math.floor(clock.now() / 1_000) + 400 * 86_400
  })
  afterEach(() => store.close())

  const op = (at: EventStore = store, issuer?: string): OpOnLog => opOnLog(at, clock, issuer)

  it('is not removed of one issuer since another has ended what it has under the same id', async () => {
    await op(store, A).op.adapter('Thing').upsert('alice', { of: 'a' }, 0)
    await op(store, B).op.adapter('Thing').upsert('alice', { of: 'b' }, 0)
    await op(store, B).op.adapter('Thing').destroy('alice')
    await passDays(6, store, clock)
    assert.deepEqual(await op(store, A).op.adapter('Thing').find('alice'), { of: 'a' })
    assert.equal(await op(store, B).op.adapter('Thing').find('alice'), undefined)
  })

  it('is stored again under new keys for each issuer', async () => {
    for (const issuer of [A, B])
      await op(store, issuer).op.adapter('Grant').upsert('alice', { jti: 'alice', accountId: 'alice', of: issuer }, 0)
    await rekeyLog({ store: withKeys(store, BOTH), clock })
    for (const issuer of [A, B]) {
      const found = await op(withKeys(store, NEW), issuer).op.adapter('Grant').find('alice')
      assert.equal(found?.['of'], issuer)
    }
  })

  it('is not ended by rekey since another issuer has revoked what it has under the same id', async () => {
    await op(store, B).op.adapter('Grant').upsert('g', { jti: 'g', exp }, 0)
    await op(store, B).op.adapter('RefreshToken').revokeByGrantId('g')
    await op(store, A).op.adapter('Grant').upsert('g', { jti: 'g', exp }, 0)
    await op(store, A).op.adapter('RefreshToken').upsert('rt', { jti: 'rt', grantId: 'g', exp }, 0)
    await rekeyLog({ store: withKeys(store, BOTH), clock })
    assert.ok(await op(withKeys(store, BOTH), A).op.adapter('RefreshToken').find('rt'))
  })

  for (const how of ['rekey', 'a consent'] as const) {
    it(`stays revoked with the new keys alone where it was revoked while ${how} stored its grant again`, async () => {
      const both = (): OpOnLog => op(withKeys(store, BOTH))
      await op().op.adapter('Grant').upsert('g', { jti: 'g', exp }, 0)
      await op().op.adapter('RefreshToken').revokeByGrantId('g')
      const issuing = both()
      await issuing.request(async (adapter) => {
        await adapter('Grant').find('g')
        await adapter('RefreshToken').upsert('rt', { jti: 'rt', grantId: 'g', exp }, 0)
      })
      assert.ok(await both().op.adapter('RefreshToken').find('rt'))
      const revoke = (): Promise<void> => both().op.adapter('RefreshToken').revokeByGrantId('g')
      if (how === 'rekey') {
        const rekeying = withKeys(store, BOTH)
        let isLeft = true
        rekeying.beforeAppend = async () => {
          if (!isLeft) return
          isLeft = false
          await revoke()
        }
        await rekeyLog({ store: rekeying, clock })
      } else {
        await issuing.request(async (adapter) => {
          const grant = await adapter('Grant').find('g')
          await revoke()
          await adapter('Grant').upsert('g', { ...grant, more: true }, 0)
        })
      }
      await rekeyLog({ store: withKeys(store, BOTH), clock })
      assert.equal(await both().op.adapter('RefreshToken').find('rt'), undefined)
      assert.equal(await op(withKeys(store, NEW)).op.adapter('RefreshToken').find('rt'), undefined)
      assert.ok(await op(withKeys(store, NEW)).op.adapter('Grant').find('g'))
    })
  }

  it('can be ended again when it came back after all of it had gone', async () => {
    const log = new ModelLog(store, clock)
    const context = {
      ...{ log, clock, meta: { instance: A }, observers: [], recentSessions: new RecentSessions() },
      ...{ writeTurns: new WriteTurns(), endSession: async () => {} },
    }
    const terminator = new UnitSessionTerminator(
      log,
      (cause) => new UnitOfWork(context as never, { kind: 'ending', cause }),
    )
    for (const reason of ['admin', 'account_disabled']) {
      const soon = Math.floor(clock.now() / 1_000) + 2 * 86_400
      await op(store, A)
        .op.adapter('Grant')
        .upsert('alice:shop', { jti: 'alice:shop', accountId: 'alice', exp: soon }, 0)
      assert.ok(await terminator.revoke('alice:shop', { reason }, []), reason)
      assert.equal(await op(store, A).op.adapter('Grant').find('alice:shop'), undefined, reason)
      await passDays(9, store, clock)
    }
  })

  it('stays ended when the adapter that it was taken over from still holds it, though it was changed here before', async () => {
    const { op: own } = op()
    await clock.advance(1_000)
    const there = { client_id: 'c', client_secret: 'former' }
    await own.mover.take('Client', 'c', there)
    await own.adapter('Client').upsert('c', { client_id: 'c', client_secret: 'changed' }, 0)
    await passDays(3, store, clock)
    await own.adapter('Client').destroy('c')
    await passDays(6, store, clock)
    assert.equal(await own.mover.take('Client', 'c', there), 'kept')
    assert.equal(await own.adapter('Client').find('c'), undefined)
  })

  it('is seen by a walk of retention that went less far than one before it', async () => {
    const both = withKeys(store, BOTH)
    await op().op.adapter('RefreshToken').revokeByGrantId('g')
    await op().request(async (adapter) => {
      await adapter('Grant').find('g')
      await adapter('RefreshToken').upsert('rt', { jti: 'rt', grantId: 'g', exp }, 0)
    })
    await passDays(2, both, clock)
    for (let n = 0; n < 100; n++) await store.append({ events: [{ stream: 'filler', type: 'x', data: {} }] })
    await rekeyLog({ store: both, clock })
    for (let n = 0; n < 100; n++) await store.append({ events: [{ stream: 'filler', type: 'x', data: {} }] })
    await passDays(4, both, clock)
    const { name } = await store.consumers.ensure('new', 50)
    await passDays(2, both, clock)
    const consumer = await store.consumers.get(name)
    assert.ok(consumer)
    await store.consumers.remove(consumer)
    await dailyRetention(both, clock).run()
    assert.ok(await op(both).op.adapter('RefreshToken').find('rt'))
    await op(both).op.adapter('RefreshToken').revokeByGrantId('g')
    assert.equal(await op(both).op.adapter('RefreshToken').find('rt'), undefined)
  })
})
