import assert from 'node:assert/strict'
import type { WorkTable } from '../../../lib/log/work-table.ts'
import { only, present } from './expect.ts'
import { type MakeLog, openedLog, range } from './log-under-test.ts'
import { all, freshTable } from './work-fixture.ts'

export function workersContract(makeLog: MakeLog): void {
  describe('the workers of a work table', () => {
    const log = openedLog(makeLog)
    let table: WorkTable
    beforeEach('a table with six rows', async () => {
      table = freshTable(log.store)
      await table.add(range(6).map((n) => ({ id: `${n}`, lane: 'rp', dueAt: 100 + n, body: {} })))
    })

    it('are known once they beat, and each beat shows', async () => {
      assert.deepEqual(await table.workers(), [])
      await table.beat('a.b$c')
      const first = only(await table.workers())
      assert.equal(first.holder, 'a.b$c')
      await table.beat('a.b$c')
      assert.notEqual(only(await table.workers()).beat, first.beat)
      await table.beat('other')
      assert.deepEqual((await table.workers()).map(({ holder }) => holder).sort(), ['a.b$c', 'other'])
    })

    it('lose their work when their beat stood still', async () => {
      await table.beat('dead')
      const seen = only(await table.workers())
      const work = await table.claim({ ...all, holder: 'dead', limit: 4 })
      assert.equal(await table.takeOver(seen), 4)
      assert.deepEqual(await table.workers(), [])
      assert.equal((await table.claim({ ...all, holder: 'heir' })).length, 6)
      for (const row of work) {
        assert.equal(await table.finish(row, 500), false)
        assert.equal(await table.putBack(row, { dueAt: 1, body: {} }), false)
        assert.equal((await table.get(row.id))?.holder, 'heir')
      }
    })

    it('keep their work when they beat since', async () => {
      await table.beat('alive')
      const seen = only(await table.workers())
      const [row] = await table.claim({ ...all, holder: 'alive', limit: 1 })
      await table.beat('alive')
      assert.equal(await table.takeOver(seen), 0)
      assert.equal(only(await table.workers()).holder, 'alive')
      assert.equal(await table.finish(present(row), 500), true)
    })

    it('keep the work of others and what they had finished', async () => {
      await table.beat('dead')
      await table.beat('other')
      const seen = present((await table.workers()).find(({ holder }) => holder === 'dead'))
      const [done] = await table.claim({ ...all, holder: 'dead', limit: 1 })
      await table.finish(present(done), 500)
      const [others] = await table.claim({ ...all, holder: 'other', limit: 1 })
      await table.claim({ ...all, holder: 'dead', limit: 2 })
      assert.equal(await table.takeOver(seen), 2)
      assert.equal((await table.get(present(done).id))?.doneAt, 500)
      assert.equal(await table.finish(present(others), 500), true)
    })

    it('are taken over once, also by several at the same time', async () => {
      await table.beat('dead')
      const seen = only(await table.workers())
      await table.claim({ ...all, holder: 'dead', limit: 3 })
      const freed = await Promise.all(range(8).map(() => table.takeOver(seen)))
      assert.equal(
        freed.reduce((sum, count) => sum + count, 0),
        3,
      )
      assert.equal((await table.claim({ ...all, holder: 'heir' })).length, 6)
    })

    it('may come back after they were taken over', async () => {
      await table.beat('late')
      const seen = only(await table.workers())
      await table.claim({ ...all, holder: 'late', limit: 1 })
      await table.takeOver(seen)
      await table.beat('late')
      assert.equal(only(await table.workers()).holder, 'late')
      assert.equal((await table.claim({ ...all, holder: 'late' })).length, 6)
      assert.equal(await table.takeOver(seen), 0)
    })

    it('that are unknown have nothing to take over', async () => {
      assert.equal(await table.takeOver({ holder: 'nobody', beat: 1 }), 0)
    })
  })
}
