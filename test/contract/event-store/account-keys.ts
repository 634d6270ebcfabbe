import assert from 'node:assert/strict'
import type { AccountKeyRecord, AccountKeyTable, NewAccountKey } from '../../../lib/log/account-key-table.ts'
import { fresh, type MakeLog, openedLog, range, withLog } from './log-under-test.ts'

/** A key that nobody else makes; ids in the order in which they are made. */
function newKey(): NewAccountKey {
  const id = fresh('key')
  return { id, sealed: `sealed ${id}`, account: `account ${id}` }
}

export function accountKeysContract(makeLog: MakeLog, kept: boolean): void {
  describe('the keys of accounts', () => {
    const log = openedLog(makeLog)
    let keys: AccountKeyTable
    beforeEach(() => {
      keys = log.store.accountKeys
    })

    const record = async (id: string): Promise<AccountKeyRecord | undefined> => (await keys.find([id]))[0]

    it('one is made where there is none, and is the same for whoever asks by any of its names', async () => {
      const [one, two, made] = [fresh('name'), fresh('name'), newKey()]
      assert.deepEqual(await keys.obtain([one], made), { ...made, names: [one] })
      assert.deepEqual(await keys.obtain([two, one], newKey()), { ...made, names: [one, two] })
      assert.equal((await keys.obtain([two], newKey())).id, made.id)
      assert.deepEqual(await keys.find([made.id, 'unknown']), [{ ...made, names: [one, two] }])
      assert.deepEqual(await keys.find([]), [])
    })

    it('all agree on one, however many ask at once, and what was given to anybody is found when it is retired', async () => {
      const names = [fresh('name'), fresh('name')]
      const obtained = await Promise.all(
        range(12).map((n) => keys.obtain(n % 2 === 0 ? names : [...names].reverse(), newKey())),
      )
      const { id } = await keys.obtain(names, newKey())
      for (const name of names) assert.equal((await keys.obtain([name], newKey())).id, id)
      const retired = idsOf(await keys.retire([names[1] as string]))
      for (const one of [id, ...obtained.map((each) => each.id)]) assert.ok(retired.includes(one))
    })

    it('a retired one is found no more, and opens what it sealed; another one is made', async () => {
      const [name, other] = [fresh('name'), fresh('name')]
      const first = await keys.obtain([name, other], newKey())
      const retired = { ...first, names: [], formerNames: first.names }
      assert.deepEqual(await keys.retire([other]), [retired])
      assert.deepEqual(await record(first.id), retired)
      const second = await keys.obtain([name], newKey())
      assert.notEqual(second.id, first.id)
      assert.deepEqual(idsOf(await keys.retire([name])), [first.id, second.id].sort())
      assert.deepEqual(await keys.retire([fresh('name')]), [])
    })

    it('a destroyed one is gone for good, and says since when; doing it twice changes nothing', async () => {
      const name = fresh('name')
      const { id } = await keys.obtain([name], newKey())
      await keys.retire([name])
      for (const at of [1_000, 2_000]) await keys.destroy([id, 'unknown'], at)
      assert.deepEqual(await record(id), { id, names: [], formerNames: [name], destroyedAt: 1_000 })
      assert.deepEqual(await keys.retire([name]), [{ id, names: [], formerNames: [name], destroyedAt: 1_000 }])
      assert.notEqual((await keys.obtain([name], newKey())).id, id)
      await keys.markIdle([id], 1)
      assert.equal((await record(id))?.idleSince, undefined)
    })

    it('all are listed, page by page, each once', async () => {
      const made = await Promise.all(range(7).map(() => keys.obtain([fresh('name')], newKey())))
      const listed: AccountKeyRecord[] = []
      for (let after: string | undefined; ; ) {
        const page = await keys.list({ limit: 3, ...(after !== undefined && { after }) })
        listed.push(...page)
        after = page.at(-1)?.id
        if (page.length < 3) break
      }
      const ids = listed.map(({ id }) => id)
      assert.deepEqual(ids, [...new Set(ids)].sort())
      for (const one of made)
        assert.deepEqual(
          listed.find(({ id }) => id === one.id),
          one,
        )
    })

    it('one is sealed anew by whoever has seen it as it is, and found by more names', async () => {
      const [name, more] = [fresh('name'), fresh('name')]
      const first = await keys.obtain([name], newKey())
      assert.equal(await keys.reseal(first, { sealed: 'anew', names: [name, more] }), true)
      const anew = { ...first, sealed: 'anew', names: [name, more] }
      assert.deepEqual(await record(first.id), anew)
      assert.equal(await keys.reseal(first, { sealed: 'late', names: [] }), false)
      assert.deepEqual(await record(first.id), anew)
      assert.equal((await keys.obtain([more], newKey())).id, first.id)
    })

    it('a retired one that is sealed anew is found by none, and a destroyed one stays so', async () => {
      const name = fresh('name')
      const first = await keys.obtain([name], newKey())
      const [retired] = await keys.retire([name])
      assert.equal(await keys.reseal(retired as AccountKeyRecord, { sealed: 'again', names: [fresh('name')] }), true)
      assert.deepEqual([(await record(first.id))?.sealed, (await record(first.id))?.names], ['again', []])
      await keys.destroy([first.id], 1)
      assert.equal(await keys.reseal(retired as AccountKeyRecord, { sealed: 'late', names: [] }), false)
      assert.equal((await record(first.id))?.sealed, undefined)
    })

    it('what nothing is sealed with is removed when it has been so for long, unless it is used again', async () => {
      const [idle, used, busy] = await Promise.all(range(3).map(() => keys.obtain([fresh('name')], newKey())))
      const ids = [idle, used, busy].map((one) => (one as AccountKeyRecord).id)
      await keys.markIdle(ids.slice(0, 2), 1_000)
      await keys.markIdle(ids.slice(0, 2), 5_000)
      assert.equal((await record(ids[0] as string))?.idleSince, 1_000)
      await keys.obtain((used as AccountKeyRecord).names, newKey())
      assert.equal((await record(ids[1] as string))?.idleSince, undefined)
      assert.equal(await keys.remove(ids, 1_000), 0)
      assert.equal(await keys.remove(ids, 1_001), 1)
      assert.deepEqual(idsOf(await keys.find(ids)), ids.slice(1).sort())
    })

    it('the record of a destroyed one is removed when it is old', async () => {
      const { id } = await keys.obtain([fresh('name')], newKey())
      await keys.destroy([id], 1_000)
      assert.equal(await keys.remove([id], 1_000), 0)
      assert.equal(await keys.remove([id], 1_001), 1)
      assert.deepEqual(await keys.find([id]), [])
    })

    if (kept)
      it('they are kept, and so is what was done to them', () =>
        withLog(makeLog, async (open) => {
          let store = await open()
          const table = store.accountKeys
          const names = range(4).map(() => fresh('name'))
          const made = await Promise.all(names.map((name) => table.obtain([name], newKey())))
          const ids = made.map(({ id }) => id)
          await table.retire([names[0] as string])
          await table.destroy([ids[1] as string], 7)
          await table.markIdle([ids[2] as string], 8)
          await table.markIdle([ids[3] as string], 8)
          await table.remove([ids[3] as string], 9)
          const before = await table.list({ limit: 10 })
          await store.close()
          store = await open()
          assert.deepEqual(await store.accountKeys.list({ limit: 10 }), before)
          assert.deepEqual(idsOf(before), ids.slice(0, 3).sort())
          const again = await store.accountKeys.obtain([names[2] as string], newKey())
          assert.equal(again.id, ids[2])
        }))
  })
}

function idsOf(records: readonly AccountKeyRecord[]): string[] {
  return records.map(({ id }) => id).sort()
}
