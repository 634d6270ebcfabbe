import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { sweepAccountKeys } from '../../lib/erasure/sweep-account-keys.ts'
import { type EventSourced, eventSourced, silent } from '../../lib/index.ts'
import { LogRetention } from '../../lib/retention/retention.ts'
import { retentionPolicy } from '../../lib/retention/retention-options.ts'
import { AccountKeys } from '../../lib/secrets/account-keys.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { opOnLog } from '../support/op-on-log.ts'

const DAY = 86_400_000
const YEAR = 365 * DAY

describe('keys of accounts that were not used for long', () => {
  let clock: FakeClock
  let store: MemoryEventStore
  const open = (): EventSourced => eventSourced(store, { clock, logger: silent })

  beforeEach(() => {
    clock = new FakeClock(1_000_000)
    store = new MemoryEventStore({ clock })
  })
  afterEach(() => store.close())

  for (const [model, payload] of [
    ['Profile', { id: 'one' }],
    ['Client', { client_id: 'one' }],
    ['Grant', { jti: 'one' }],
  ] as const) {
    it(`stay as long as the log holds a ${model} of the account, which an application may keep for years`, async () => {
      const wanted = { ...payload, accountId: 'alice' }
      await open().adapter(model).upsert('one', wanted, 0)
      for (let years = 1; years <= 3; years++) {
        await clock.advance(YEAR)
        await sweepAccountKeys(store, clock.now() - YEAR / 2, clock.now())
        assert.deepEqual(await open().adapter(model).find('one'), wanted)
      }
    })
  }

  for (const sessionLogoutsDays of [400, 30]) {
    it(`go after what they have sealed, which nobody can open once it was forgotten (logouts: ${sessionLogoutsDays} days)`, async () => {
      const policy = retentionPolicy({ statesMs: 60 * DAY, sessionLogoutsMs: sessionLogoutsDays * DAY })
      const retention = new LogRetention({ store, clock, logger: silent, policy, rules: [] })
      const { op } = opOnLog(store, clock)
      await op.adapter('Profile').upsert('of-alice', { accountId: 'alice' }, 0)
      await op.adapter('Profile').upsert('of-bob', { accountId: 'bob' }, 0)
      await retention.run()
      const forgotten = op.forget('alice', { actor: 'somebody', settleMs: 0 })
      await clock.advance(1)
      await forgotten
      for (let months = 0; months < 30; months++) {
        assert.equal(await opOnLog(store, clock).op.adapter('Profile').find('of-alice'), undefined)
        await clock.advance(30 * DAY)
        await store.append({ events: [{ stream: 'months', type: 'passed', data: {} }] })
        await retention.run()
      }
      assert.deepEqual((await store.accountKeys.list({ limit: 10 })).length, 1)
      assert.deepEqual(await opOnLog(store, clock).op.adapter('Profile').find('of-bob'), { accountId: 'bob' })
      const names = store.keys.streams('Profile', 'of-alice')
      assert.deepEqual(await store.readStreams(names), [])
    })
  }

  it('go in one run of retention, however many they are', async () => {
    const keys = new AccountKeys(store, clock)
    const issuer = 'https://op.example.com'
    const many = Array.from({ length: 2_500 }, (_, n) => ({ issuer, accountId: `account-${n}` }))
    await Promise.all(many.map((account) => keys.seal('x', 'S:1', account)))
    await clock.advance(2 * YEAR)
    await eventSourced(store, { clock, logger: silent }).retention.run()
    assert.deepEqual(await store.accountKeys.list({ limit: 10 }), [])
  })

  it('go when nothing of the account is there', async () => {
    await new AccountKeys(store, clock).seal('x', 'S:1', { issuer: 'https://op.example.com', accountId: 'alice' })
    await clock.advance(YEAR)
    await sweepAccountKeys(store, clock.now() - YEAR / 2, clock.now())
    assert.deepEqual(await store.accountKeys.list({ limit: 10 }), [])
  })
})
