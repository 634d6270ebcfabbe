import assert from 'node:assert/strict'
import type { WorkTable } from '../../../lib/log/work-table.ts'
import { present } from './expect.ts'
import { type MakeLog, openedLog, range } from './log-under-test.ts'
import { all, claimOne, freshTable, idsOf } from './work-fixture.ts'

export function workersContract(makeLog: MakeLog): void {
  describe('the holders of work', () => {
    const log = openedLog(makeLog)
    let table: WorkTable
    beforeEach('a table with six rows', async () => {
      table = freshTable(log.store)
      await table.add(range(6).map((n) => ({ id: `${n}`, lane: 'rp', dueAt: 100 + n, body: {} })))
    })

    it('are known as long as they hold something', async () => {
      assert.deepEqual(await table.holders(), [])
      const one = await claimOne(table, 'a.b$c')
      const two = await claimOne(table, 'other')
      assert.deepEqual((await table.holders()).sort(), ['a.b$c', 'other'])
      await table.finish(one, 500)
      await table.putBack(two, { dueAt: 100, body: {} })
      assert.deepEqual(await table.holders(), [])
    })

    it('change nothing any more once their work was freed', async () => {
      const work = await table.claim({ ...all, holder: 'dead', limit: 4 })
      assert.equal(await table.free('dead'), 4)
      assert.deepEqual(await table.holders(), [])
      assert.equal((await table.claim({ ...all, holder: 'heir' })).length, 6)
      for (const row of work) {
        assert.equal(await table.finish(row, 500), false)
        assert.equal(await table.putBack(row, { dueAt: 1, body: {} }), false)
        assert.equal((await table.get(row.id))?.holder, 'heir')
      }
    })

    it('are freed each for themselves, and what was finished stays so', async () => {
      const [done] = await table.claim({ ...all, holder: 'dead', limit: 1 })
      await table.finish(present(done), 500)
      const others = await claimOne(table, 'other')
      await table.claim({ ...all, holder: 'dead', limit: 2 })
      assert.equal(await table.free('dead'), 2)
      assert.equal((await table.get(present(done).id))?.doneAt, 500)
      assert.equal(await table.finish(others, 500), true)
    })

    it('are freed once, also by several at the same time', async () => {
      await table.claim({ ...all, holder: 'dead', limit: 3 })
      const freed = await Promise.all(range(8).map(() => table.free('dead')))
      assert.equal(
        freed.reduce((sum, count) => sum + count, 0),
        3,
      )
      assert.equal((await table.claim({ ...all, holder: 'heir' })).length, 6)
    })

    it('may claim again after they were freed', async () => {
      const before = await claimOne(table, 'late')
      await table.free('late')
      assert.ok(idsOf(await table.claim({ ...all, holder: 'late' })).includes(before.id))
      assert.equal(await table.finish(before, 500), false)
    })

    it('that hold nothing have nothing to be freed of', async () => {
      assert.equal(await table.free('nobody'), 0)
    })
  })
}
