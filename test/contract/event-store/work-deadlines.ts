import assert from 'node:assert/strict'
import type { WorkTable } from '../../../lib/log/work-table.ts'
import { present } from './expect.ts'
import { type MakeLog, openedLog } from './log-under-test.ts'
import { all, claimOne, freshTable, idsOf, job } from './work-fixture.ts'

const NOW = { holder: 'me', now: 1_000, limit: 100 } as const

export function workDeadlinesContract(makeLog: MakeLog): void {
  describe('work with a deadline', () => {
    const log = openedLog(makeLog)
    let table: WorkTable
    beforeEach(() => {
      table = freshTable(log.store)
    })

    it('is handed out with it, and keeps it when it is given back', async () => {
      await table.add([job('a', { deadline: 5_000 }), job('b')])
      const [a, b] = await table.claim(all)
      assert.deepEqual([a?.deadline, b?.deadline], [5_000, undefined])
      await table.putBack(present(a), { dueAt: 100, body: {} })
      assert.equal((await table.get('a'))?.deadline, 5_000)
    })

    it('is overdue once the deadline has passed, due or not, the oldest deadline first', async () => {
      await table.add([
        job('late', { deadline: 900 }),
        job('oldest', { deadline: 100, dueAt: 9_000 }),
        job('now', { deadline: 1_000 }),
        job('not yet', { deadline: 1_001 }),
        job('never', {}),
      ])
      const overdue = await table.claimOverdue({ ...NOW, limit: 2 })
      assert.deepEqual(idsOf(overdue), ['oldest', 'late'])
      assert.deepEqual(
        overdue.map(({ holder }) => holder),
        ['me', 'me'],
      )
      assert.deepEqual(idsOf(await table.claimOverdue(NOW)), ['now'])
      assert.deepEqual(await table.claimOverdue(NOW), [])
    })

    it('is in one hand: what was claimed as overdue can be finished, and what is held or done is not overdue', async () => {
      await table.add(['held', 'done', 'overdue'].map((id, n) => job(id, { deadline: 500, dueAt: n })))
      await claimOne(table)
      await table.finish(await claimOne(table), 500)
      const [overdue, ...more] = await table.claimOverdue(NOW)
      assert.deepEqual([overdue?.id, more], ['overdue', []])
      assert.equal(await table.finish(present(overdue), 600), true)
      assert.deepEqual(idsOf(await table.claim({ ...all, holder: 'other' })), [])
    })

    it('is overdue in the lanes that are asked for', async () => {
      await table.add([job('a', { lane: 'one rp', deadline: 1 }), job('b', { lane: 'other rp', deadline: 1 })])
      assert.deepEqual(idsOf(await table.claimOverdue({ ...NOW, prefix: 'one ' })), ['a'])
    })

    it('is compared with a clock that goes on', async () => {
      const before = await table.time()
      assert.ok(Number.isSafeInteger(before))
      assert.ok((await table.time()) >= before)
      assert.equal(typeof (await freshTable(log.store).time()), 'number')
    })
  })
}
