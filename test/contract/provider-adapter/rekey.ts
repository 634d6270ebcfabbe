import assert from 'node:assert/strict'
import { forgetAccount } from '../../../lib/erasure/forget.ts'
import { type EventStore, systemClock } from '../../../lib/index.ts'
import { ModelAdapter } from '../../../lib/provider/adapter.ts'
import type { ModelName, Payload } from '../../../lib/provider/models.ts'
import { rekeyLog } from '../../../lib/rekey/rekey.ts'
import type { RekeyReport } from '../../../lib/rekey/rekey-report.ts'
import { AccountKeys } from '../../../lib/secrets/account-keys.ts'
import { accountNames } from '../../../lib/secrets/account-names.ts'
import { allThatOpens } from '../../support/all-that-opens.ts'
import { alone, attached, keysNamed, type MakeLog, openedStore, withKeys } from './adapter-under-test.ts'
import { newId, sample } from './samples.ts'

/** Models whose states a rekey stores again. */
const AGAIN: readonly ModelName[] = [
  'Client',
  'InitialAccessToken',
  'RegistrationAccessToken',
  'ClientCredentials',
  'Grant',
  'AccessToken',
  'RefreshToken',
  'DeviceCode',
]

export function rekeyContract(makeLog: MakeLog): void {
  describe('a rekey', () => {
    const opened = openedStore(makeLog)

    const put = (store: EventStore, model: ModelName, id: string, more: Payload = {}): Promise<void> =>
      alone(store).run((adapter) => adapter(model).upsert(id, sample(model, id, more), 3_600)) as Promise<void>
    const get = (store: EventStore, model: string, id: string): Promise<Payload | undefined> =>
      alone(store).run((adapter) => adapter(model).find(id)) as Promise<Payload | undefined>
    const forget = (store: EventStore, accountId: string) => {
      const accountKeys = new AccountKeys(store, systemClock)
      const parts = { store, accountKeys, clock: systemClock, end: async () => 0 }
      return forgetAccount({ ...parts, issuers: ['https://op.example.com'] }, accountId, { actor: 'anna', settleMs: 0 })
    }
    const run = (store: EventStore, dryRun = false): Promise<RekeyReport> =>
      rekeyLog({ store, clock: systemClock }, { dryRun })

    it('has what lives depend on the new sealing key alone, once', async () => {
      const ids = new Map(AGAIN.map((model) => [model, newId()]))
      for (const [model, id] of ids) await put(opened.store, model, id)
      const both = withKeys(opened.store, keysNamed(['s2', 's1'], ['h1']))
      const planned = await run(both, true)
      assert.deepEqual([both.commits.length, planned.dryRun], [0, true])
      const done = await run(both)
      assert.deepEqual({ ...done, dryRun: true }, planned)
      assert.ok(done.states.resealed >= 4 && done.accountKeys.resealed >= 1, JSON.stringify(done))
      assert.deepEqual([done.sealing, done.hashing], [{}, []])
      const again = await run(both)
      assert.deepEqual([again.states.resealed, again.accountKeys.resealed], [0, 0])
      const later = withKeys(opened.store, keysNamed(['s2'], ['h1']))
      for (const [model, id] of ids) assert.ok(await get(later, model, id), model)
    })

    it('has what lives found by the new hashing key alone, as it was', async () => {
      const ids = new Map(AGAIN.map((model) => [model, newId()]))
      for (const [model, id] of ids) await put(opened.store, model, id)
      const [grantId, used, dead, lives] = [newId(), newId(), newId(), newId()]
      await put(opened.store, 'Grant', grantId)
      for (const id of [used, dead]) await put(opened.store, 'RefreshToken', id, { grantId })
      await alone(opened.store).run((adapter) => adapter('AccessToken').revokeByGrantId(grantId))
      await alone(opened.store).run((adapter) => adapter('RefreshToken').consume(used))
      await put(opened.store, 'AccessToken', lives, { grantId })
      await alone(opened.store).run((adapter) => adapter('RefreshToken').revokeByGrantId(grantId))
      const offline = newId()
      await put(opened.store, 'RefreshToken', offline, { grantId })
      const both = withKeys(opened.store, keysNamed(['s1'], ['h2', 'h1']))
      const done = await run(both)
      assert.equal(done.hashing.length, 0, JSON.stringify(done))
      assert.equal((await run(both)).states.resealed, 0)
      const later = withKeys(opened.store, keysNamed(['s1'], ['h2']))
      for (const [model, id] of ids) {
        const [before, after] = [await get(opened.store, model, id), await get(later, model, id)]
        assert.ok(after, model)
        assert.deepEqual(after, before)
      }
      assert.equal(await get(later, 'RefreshToken', dead), undefined, 'what was revoked stays so')
      assert.ok(await get(later, 'AccessToken', lives))
      assert.ok(await get(later, 'RefreshToken', offline))
      // What is revoked by a process with the new key alone is revoked.
      await alone(later).run((adapter) => adapter('RefreshToken').revokeByGrantId(grantId))
      assert.equal(await get(later, 'RefreshToken', offline), undefined)
      assert.equal((await alone(later).run((adapter) => adapter('Grant').find(grantId)))?.['jti'], grantId)
    })

    it('keeps what was used up, and what has ended stays ended', async () => {
      const [used, ended] = [newId(), newId()]
      for (const id of [used, ended]) await put(opened.store, 'RefreshToken', id)
      await alone(opened.store).run((adapter) => adapter('RefreshToken').consume(used))
      await alone(opened.store).run((adapter) => adapter('RefreshToken').destroy(ended))
      await run(withKeys(opened.store, keysNamed(['s1'], ['h3', 'h1'])))
      const later = withKeys(opened.store, keysNamed(['s1'], ['h3']))
      assert.equal(typeof (await get(later, 'RefreshToken', used))?.['consumed'], 'number')
      assert.equal(await get(later, 'RefreshToken', ended), undefined)
    })

    it('never wins over what is stored, or ended, at the same moment', async () => {
      const [changed, ended] = [newId(), newId()]
      for (const id of [changed, ended]) await put(opened.store, 'Client', id, { name: 'before' })
      const both = withKeys(opened.store, keysNamed(['s2', 's1'], ['h1']))
      const meanwhile = withKeys(opened.store, keysNamed(['s2', 's1'], ['h1']))
      let others: Promise<void> | undefined
      both.beforeAppend = () => {
        others ??= (async () => {
          await put(meanwhile, 'Client', changed, { name: 'after' })
          await alone(meanwhile).run((adapter) => adapter('Client').destroy(ended))
        })()
        return others
      }
      await run(both)
      assert.ok(others)
      assert.equal((await get(meanwhile, 'Client', changed))?.['name'], 'after')
      assert.equal(await get(meanwhile, 'Client', ended), undefined)
    })

    it('lets nobody store over a client that he has read before it, where somebody else has since', async () => {
      const id = newId()
      await put(opened.store, 'Client', id, { name: 'before' })
      const both = withKeys(opened.store, keysNamed(['s2', 's1'], ['h1']))
      const slow = withKeys(opened.store, keysNamed(['s2', 's1'], ['h1']))
      const clients = attached(slow).op.adapter('Client')
      assert.ok(clients instanceof ModelAdapter)
      const before = await clients.find(id)
      assert.ok(before)
      slow.beforeAppend = async () => {
        slow.beforeAppend = undefined
        assert.ok((await run(both)).states.resealed > 0)
        await put(both, 'Client', id, { name: 'after' })
      }
      assert.equal(await clients.replace(id, before, { ...before, name: 'lost' }), false)
      assert.equal((await get(both, 'Client', id))?.['name'], 'after')
    })

    it('leaves nothing of an account that is forgotten meanwhile, whenever that is', async () => {
      for (let reads = 1; reads <= 3; reads++) {
        const [id, accountId] = [newId(), `forgotten-${newId()}`]
        await put(opened.store, 'RefreshToken', id, { accountId })
        const both = withKeys(opened.store, keysNamed(['s2', 's1'], [`h${reads + 4}`, 'h1']))
        const [stream] = opened.store.keys.streams('RefreshToken', id)
        let forgetting: Promise<unknown> | undefined
        let seen = 0
        both.beforeRead = async (streams) => {
          if (seen === 0 && !streams.includes(stream)) return
          seen += 1
          if (seen === reads) forgetting ??= forget(both, accountId)
          await forgetting
        }
        await run(both)
        both.beforeRead = undefined
        assert.ok(forgetting)
        assert.equal((await allThatOpens(both)).includes(accountId), false, `at read ${reads}`)
      }
    })

    it('says what still needs a former key, and until when', async () => {
      const [session, unknown] = [newId(), newId()]
      await put(opened.store, 'Session', session, { uid: newId(), accountId: undefined })
      const lost = withKeys(opened.store, keysNamed(['s9'], ['h1']))
      await put(lost, 'Client', unknown)
      const { sealing, states } = await run(withKeys(opened.store, keysNamed(['s2', 's1'], ['h1'])))
      assert.equal(states.unreadable, 1)
      assert.deepEqual(sealing['s9'], [{ of: 'Client', count: 1 }])
      const [left] = sealing['s1'] ?? []
      assert.deepEqual([left?.of, left?.count, typeof left?.until], ['Session', 1, 'number'])
    })

    it('says that the former hashing key is needed by what does not hold its id, until it is stored again', async () => {
      const id = newId()
      const store = (log: EventStore) => alone(log).run((adapter) => adapter('Profile').upsert(id, { name: id }, 0))
      await store(opened.store)
      const both = withKeys(opened.store, keysNamed(['s2', 's1'], ['h9', 'h1']))
      const needed = async () => (await run(both)).hashing.filter(({ of }) => of === 'Profile')
      assert.deepEqual(await needed(), [{ of: 'Profile', count: 1 }])
      await store(both)
      assert.deepEqual(await needed(), [])
    })

    it('says that a former sealing key is needed by work that is not done', async () => {
      const both = withKeys(opened.store, keysNamed(['s5', 's2', 's1'], ['h1']))
      const [table, lane] = [newId(), 'lane']
      const sealed = (store: EventStore) => ({ about: { account: store.keys.seal('alice', 'S:1') } })
      const rows = [sealed(opened.store), sealed(opened.store), sealed(both), { name: 'unknown.text' }]
      await both
        .work(table)
        .add(rows.map((body, n) => ({ id: `${n}`, lane, dueAt: 1, ...(n < 2 && { deadline: 10 + n }), body })))
      const needed = async () => {
        const { sealing } = await rekeyLog({ store: both, clock: systemClock, work: [table] })
        return Object.values(sealing)
          .flat()
          .filter(({ of }) => of === table)
      }
      assert.deepEqual(await needed(), [{ of: table, count: 2, until: 11 }])
      const claimed = await both.work(table).claim({ holder: 'me', now: 1, limit: 9, perLane: 9 })
      for (const one of claimed) await both.work(table).finish(one, 2)
      assert.deepEqual(await needed(), [])
    })

    it('seals a key anew that is retired at the same moment: what it has sealed still has to be opened', async () => {
      const [id, accountId] = [newId(), newId()]
      await put(opened.store, 'Grant', id, { accountId })
      const sealing = ['s4', 's2', 's1']
      const both = withKeys(opened.store, keysNamed(sealing, ['h1']))
      const table = opened.store.accountKeys
      const reseal = table.reseal.bind(table)
      const names = accountNames(both.keys, { issuer: 'https://op.example.com', accountId })
      table.reseal = async (from, to) => {
        if (from.names.includes(names[0])) await table.retire(names)
        return reseal(from, to)
      }
      try {
        const left = (await run(both)).sealing['s1'] ?? []
        assert.ok(left.every(({ of }) => of !== 'account'))
      } finally {
        table.reseal = reseal
      }
      assert.ok(await get(withKeys(opened.store, keysNamed(['s4'], ['h1'])), 'Grant', id))
    })
  })
}
