import assert from 'node:assert/strict'
import type { WorkTable } from '../../../lib/log/work-table.ts'
import { present } from './expect.ts'
import { type MakeLog, openedLog } from './log-under-test.ts'
import { all, claimOne, freshTable, idsOf, job, jobs } from './work-fixture.ts'

export function workLanesContract(makeLog: MakeLog): void {
  describe('the open work of a lane', () => {
    const log = openedLog(makeLog)
    let table: WorkTable
    beforeEach(() => {
      table = freshTable(log.store)
    })

    it('is made due earlier where it waits for later, and nothing else is', async () => {
      await table.add([
        job('later', { dueAt: 9_000 }),
        job('much later', { dueAt: 90_000 }),
        job('due', { dueAt: 50 }),
        job('held', { dueAt: 1 }),
        job('other', { dueAt: 9_000, lane: 'other' }),
      ])
      const held = await claimOne(table)
      assert.equal(held.id, 'held')
      assert.equal(await table.hasten('rp', 700), 2)
      assert.equal(await table.hasten('rp', 700), 0)
      const due = await Promise.all(['later', 'much later', 'due', 'held', 'other'].map((id) => table.get(id)))
      assert.deepEqual(
        due.map((row) => row?.dueAt),
        [700, 700, 50, 1, 9_000],
      )
      assert.deepEqual(idsOf(await table.claim(all)), ['due', 'later', 'much later'])
      assert.equal(await table.putBack(held, { dueAt: 2_000, body: {} }), true)
    })

    it('is found by whoever looks for the next thing that is due', async () => {
      await table.add([job('later', { dueAt: 9_000 })])
      await table.hasten('rp', 0)
      assert.equal(await table.nextDueAt(), 0)
    })

    it('is listed by due time and id, in hand or not, and without what is done', async () => {
      await table.add([
        job('b'),
        job('a'),
        job('first', { dueAt: 7 }),
        job('second', { dueAt: 8 }),
        job('x', { lane: 'x', dueAt: 9_000 }),
      ])
      await table.finish(await claimOne(table), 1)
      const held = await claimOne(table)
      assert.equal(held.id, 'second')
      const listed = await table.open({ lane: 'rp', limit: 10 })
      assert.deepEqual(idsOf(listed), ['second', 'a', 'b'])
      assert.deepEqual(listed[0], await table.get('second'))
    })

    it('is listed page by page, through all lanes of a prefix', async () => {
      await table.add([...jobs('op one', 5), ...jobs('op two', 4), ...jobs('other', 3)])
      await table.add([job('op one/x', { lane: 'op one', dueAt: 102 })])
      const found: string[] = []
      for (let after: { lane: string; dueAt: number; id: string } | undefined; ; ) {
        const page = await table.open({ prefix: 'op ', limit: 3, ...(after && { after }) })
        found.push(...idsOf(page))
        if (page.length < 3) break
        after = present(page.at(-1))
      }
      const one = ['op one/0', 'op one/1', 'op one/2', 'op one/x', 'op one/3', 'op one/4']
      assert.deepEqual(found, [...one, 'op two/0', 'op two/1', 'op two/2', 'op two/3'])
    })
  })
}
