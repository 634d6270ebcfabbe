import assert from 'node:assert/strict'
import type { WorkTable } from '../../../lib/log/work-table.ts'
import { present } from './expect.ts'
import { type Capabilities, type MakeLog, openedLog, range } from './log-under-test.ts'
import { all, claimOne, freshTable, idsOf, job, jobs } from './work-fixture.ts'

export function workLanesContract(makeLog: MakeLog, { asksAgain = false }: Pick<Capabilities, 'asksAgain'> = {}): void {
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

    if (!asksAgain)
      it('is made due earlier a page at a time, which is told after each and ends when the signal aborts', async () => {
        for (let from = 0; from < 2_500; from += 500)
          await table.add(range(500).map((n) => job(`${from + n}`, { dueAt: 9_000 + from + n })))
        const stopping = new AbortController()
        const told: number[] = []
        const stopAtSecond = (hastened: number): void => {
          told.push(hastened)
          if (told.length === 2) stopping.abort()
        }
        assert.equal(await table.hasten('rp', 700, { signal: stopping.signal, onProgress: stopAtSecond }), 2_000)
        assert.deepEqual(told, [1_000, 2_000])
        assert.equal((await table.claim({ ...all, limit: 3_000, perLane: 3_000 })).length, 2_000)
        assert.equal(await table.hasten('rp', 700, { signal: stopping.signal }), 0)
        const failing = (): never => {
          throw new Error('nobody listens')
        }
        await assert.rejects(table.hasten('rp', 700, { onProgress: failing }), /nobody listens/)
        assert.equal(await table.hasten('rp', 700), 0) // that page was changed all the same
      })

    if (!asksAgain)
      it('is made due earlier until a signal aborts that comes from elsewhere', async () => {
        for (let from = 0; from < 4_000; from += 500)
          await table.add(range(500).map((n) => job(`${from + n}`, { dueAt: 9_000 + from + n })))
        const stopping = new AbortController()
        setImmediate(() => stopping.abort())
        const hastened = await table.hasten('rp', 700, { signal: stopping.signal })
        assert.equal(hastened < 4_000, true)
        assert.equal(await table.hasten('rp', 700), 4_000 - hastened)
      })

    it('is found by whoever looks for the next thing that is due', async () => {
      await table.add([job('later', { dueAt: 9_000 })])
      await table.hasten('rp', 0)
      assert.equal(await table.nextDueAt(), 0)
    })

    it('is found by whoever looks at some lanes alone, or passes over what is due before a time', async () => {
      await table.add([
        job('a', { lane: 'a', dueAt: 0 }),
        job('b', { lane: 'b', dueAt: 50 }),
        job('c', { lane: 'c', dueAt: 70 }),
      ])
      assert.equal(await table.nextDueAt('', { after: 0 }), 50)
      assert.equal(await table.nextDueAt('', { except: ['a', 'b', 'elsewhere'] }), 70)
      assert.equal(await table.nextDueAt('', { except: ['b'], after: 0 }), 70)
      assert.equal(await table.nextDueAt('b', { except: ['b'] }), undefined)
      assert.equal(await table.nextDueAt('', { after: 70 }), undefined)
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
