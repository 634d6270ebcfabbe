import assert from 'node:assert/strict'
import type { AccountKeyRecord, AccountKeyTable, NewAccountKey } from '../../../lib/log/account-key-table.ts'
import { fresh, type MakeLog, openedLog, range, withLog } from './log-under-test.ts'

const NOW = 1_000_000_000
const DAY_MS = 24 * 3_600_000

/** A key that nobody else makes; ids in the order in which they are made. */
function newKey(): NewAccountKey {
  const id = fresh('key')
  return { id, sealed: `sealed ${id}`, account: `account ${id}`, usedAt: NOW }
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
      assert.deepEqual(await keys.named([other, fresh('name')]), [first])
      assert.deepEqual(await keys.retire([other]), [retired])
      assert.deepEqual(await keys.named([name]), [retired])
      assert.deepEqual(await keys.named([fresh('name')]), [])
      assert.deepEqual(await record(first.id), retired)
      const second = await keys.obtain([name], newKey())
      assert.notEqual(second.id, first.id)
      assert.deepEqual(idsOf(await keys.retire([name])), [first.id, second.id].sort())
      assert.deepEqual(await keys.retire([fresh('name')]), [])
    })

    it('all that the names find are retired', async () => {
      const names = [fresh('name'), fresh('name')]
      const made = await Promise.all(names.map((name) => keys.obtain([name], newKey())))
      const retired = await keys.retire(names)
      assert.deepEqual(retired.map(({ id }) => id).sort(), made.map(({ id }) => id).sort())
      for (const { id } of made) assert.deepEqual((await record(id))?.names, [])
    })

    it('a destroyed one is gone for good, and says since when; doing it twice changes nothing', async () => {
      const name = fresh('name')
      const { id } = await keys.obtain([name], newKey())
      await keys.retire([name])
      for (const at of [1_000, 2_000]) await keys.destroy([id, 'unknown'], at)
      const destroyed = { id, names: [], formerNames: [name], destroyedAt: 1_000, usedAt: 1_000 }
      assert.deepEqual(await record(id), destroyed)
      assert.deepEqual(await keys.retire([name]), [destroyed])
      assert.notEqual((await keys.obtain([name], newKey())).id, id)
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

    it('one is sealed anew by whoever has seen it as it is, and found by other names from then on', async () => {
      const [name, more] = [fresh('name'), fresh('name')]
      const first = await keys.obtain([name], newKey())
      assert.equal(await keys.reseal(first, { sealed: 'anew', names: [name, more] }), true)
      const anew = { ...first, sealed: 'anew', names: [name, more] }
      assert.deepEqual(await record(first.id), anew)
      assert.equal(await keys.reseal(first, { sealed: 'late', names: [] }), false)
      assert.deepEqual(await record(first.id), anew)
      assert.equal((await keys.obtain([more], newKey())).id, first.id)
      assert.equal(await keys.reseal(first, { sealed: 'anew', names: [name] }), false)
      assert.equal(await keys.reseal(anew, { sealed: 'anew', names: [more] }), true)
      assert.equal((await keys.obtain([more], newKey())).id, first.id)
      assert.notEqual((await keys.obtain([name], newKey())).id, first.id)
    })

    it('a retired one that is sealed anew is found by none, and a destroyed one stays so', async () => {
      const name = fresh('name')
      const first = await keys.obtain([name], newKey())
      const [retired] = await keys.retire([name])
      assert.equal(await keys.reseal(retired as AccountKeyRecord, { sealed: 'again', names: [fresh('name')] }), true)
      assert.deepEqual([(await record(first.id))?.sealed, (await record(first.id))?.names], ['again', []])
      assert.equal((await keys.named([name])).length, 0)
      await keys.destroy([first.id], 1_000)
      assert.equal(await keys.reseal(retired as AccountKeyRecord, { sealed: 'late', names: [] }), false)
      assert.equal((await record(first.id))?.sealed, undefined)
    })

    it('that one is used is noted once a day', async () => {
      const name = fresh('name')
      const { id } = await keys.obtain([name], newKey())
      for (const [usedAt, noted] of [
        [NOW + DAY_MS - 1, NOW],
        [NOW + DAY_MS, NOW + DAY_MS],
        [NOW, NOW + DAY_MS],
      ] as const) {
        assert.equal((await keys.obtain([name], { ...newKey(), usedAt })).id, id)
        assert.equal((await record(id))?.usedAt, noted)
      }
      await keys.touch([id, 'unknown'], NOW + 3 * DAY_MS)
      await keys.touch([id], NOW)
      assert.equal((await record(id))?.usedAt, NOW + 3 * DAY_MS)
    })

    it('what was not used for long is found, the oldest first, and removed, unless it is used again', async () => {
      const made = await Promise.all(
        [10, 30, 20, 40].map((usedAt) => keys.obtain([fresh('name')], { ...newKey(), usedAt })),
      )
      const [first, third, second, fourth] = made as [
        AccountKeyRecord,
        AccountKeyRecord,
        AccountKeyRecord,
        AccountKeyRecord,
      ]
      assert.deepEqual(await keys.unused({ before: 40, limit: 10 }), [first, second, third])
      assert.deepEqual(await keys.unused({ before: 40, limit: 2 }), [first, second])
      await keys.destroy([fourth.id], 5)
      assert.equal((await keys.unused({ before: 40, limit: 1 }))[0]?.id, fourth.id)
      await keys.touch([second.id], NOW)
      assert.equal(
        await keys.remove(
          [first, second, third, fourth].map(({ id }) => id),
          30,
        ),
        2,
      )
      assert.deepEqual(idsOf(await keys.find(made.map(({ id }) => id))), [second.id, third.id].sort())
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
          await table.touch([ids[2] as string], NOW + 1)
          await table.remove([ids[3] as string], NOW + 1)
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
