import assert from 'node:assert/strict'
import type { WorkTable } from '../../../lib/log/work-table.ts'
import { only, present } from './expect.ts'
import { type MakeLog, openedLog, range } from './log-under-test.ts'
import { all, claimOne, freshTable, job, jobs } from './work-fixture.ts'

export function workOutcomesContract(makeLog: MakeLog): void {
  describe('work that was claimed', () => {
    const log = openedLog(makeLog)
    let table: WorkTable
    beforeEach(() => {
      table = freshTable(log.store)
    })

    it('takes work back, due later, with a new body', async () => {
      await table.add([job('a')])
      const work = await claimOne(table)
      assert.equal(await table.putBack(work, { dueAt: 2000, body: { attempt: 1 } }), true)
      const back = present(await table.get('a'))
      assert.equal(back.holder, undefined)
      assert.equal(back.dueAt, 2000)
      assert.deepEqual(back.body, { attempt: 1 })
      assert.deepEqual(await table.claim(all), [])
      const again = only(await table.claim({ ...all, now: 2000 }))
      assert.ok(again.fence > work.fence)
    })

    it('marks work as done and hands it out no more', async () => {
      await table.add([job('a')])
      const work = await claimOne(table)
      assert.equal(await table.finish(work, 777), true)
      const done = present(await table.get('a'))
      assert.equal(done.doneAt, 777)
      assert.equal(done.holder, undefined)
      assert.deepEqual(await table.claim(all), [])
      assert.equal(await table.finish(work, 778), false)
      assert.equal(await table.putBack(work, { dueAt: 1, body: {} }), false)
      assert.deepEqual(await table.get('a'), done)
    })

    it('is done for each that has it, however many are finished at once, and for nobody else', async () => {
      await table.add(jobs('rp', 30))
      const claimed = await table.claim({ ...all, limit: 30, perLane: 30 })
      const [lost, twice, ...mine] = claimed
      await table.putBack(present(lost), { dueAt: 1_000, body: {} })
      await table.finish(present(twice), 5)
      const finished = await Promise.all([lost, twice, ...mine].map((work) => table.finish(present(work), 6)))
      assert.deepEqual(finished, [false, false, ...mine.map(() => true)])
      assert.equal(await table.countOpen(), 1)
    })

    it('changes nothing for a holder whose fence is stale', async () => {
      await table.add([job('a')])
      const former = await claimOne(table, 'former')
      await table.putBack(former, { dueAt: 100, body: { by: 'former' } })
      const stale = async (): Promise<void> => {
        const before = await table.get('a')
        assert.equal(await table.putBack(former, { dueAt: 1, body: { by: 'ghost' } }), false)
        assert.equal(await table.finish(former, 1), false)
        assert.deepEqual(await table.get('a'), before)
      }
      await stale()
      const heir = await claimOne(table, 'former') // the same name, a later claim
      await stale()
      assert.equal(await table.finish(heir, 500), true)
      await stale()
    })

    it('lets only one of finish and putBack, called at once, succeed', async () => {
      await table.add([job('a')])
      const work = await claimOne(table)
      const outcomes = await Promise.all(
        range(16).map((n) => (n % 2 === 0 ? table.finish(work, n) : table.putBack(work, { dueAt: n, body: {} }))),
      )
      only(outcomes.filter(Boolean))
    })

    it('tells when the next free work may be due', async () => {
      assert.equal(await table.nextDueAt(), undefined)
      await table.add([job('b', { lane: 'two', dueAt: 200 }), job('a', { dueAt: 100 }), job('c', { dueAt: 300 })])
      assert.equal(await table.nextDueAt(), 100)
      const first = only(await table.claim({ ...all, limit: 1, freeSlots: new Map([['two', 0]]) }))
      assert.ok(Number(await table.nextDueAt()) <= 200)
      assert.deepEqual(await table.claim({ ...all, now: 199 }), [])
      assert.equal(await table.nextDueAt(), 200)
      await table.putBack(first, { dueAt: 150, body: {} })
      assert.equal(await table.nextDueAt(), 150)
      for (const work of await table.claim(all)) await table.finish(work, 500)
      await table.claim({ ...all, now: 1_000_000 }) // whoever looks sees that there is nothing
      assert.equal(await table.nextDueAt(), undefined)
    })

    it('counts what is open, free and held, not done: in all, in a lane, in lanes that begin so', async () => {
      assert.equal(await table.countOpen(), 0)
      const last = 'one \u{10ffff}\u{10ffff}' // lies behind all other lanes that begin so
      await table.add([...jobs('one.with$dots', 3), ...jobs('two', 1), ...jobs(last, 1)])
      const full = new Map([
        ['two', 0],
        [last, 0],
      ])
      const [held, done] = await table.claim({ ...all, limit: 2, freeSlots: full })
      assert.ok(held)
      await table.finish(present(done), 500)
      const counts = [
        {},
        { lane: 'one.with$dots' },
        { lane: 'two' },
        { lane: 'tw' },
        { prefix: 'one' },
        { prefix: 'one ' },
        { prefix: 'one \u{10ffff}' },
        { prefix: 't' },
      ]
      assert.deepEqual(await Promise.all(counts.map((which) => table.countOpen(which))), [4, 2, 1, 0, 3, 1, 1, 1])
      assert.equal((await table.claim({ ...all, limit: 1, prefix: 'one ' })).length, 1)
    })

    it('tells which lanes have most of it, those first', async () => {
      await table.add([...jobs('a one', 2), ...jobs('a two', 3), ...jobs('a three', 2), ...jobs('b', 9)])
      const [done] = await table.claim({ ...all, limit: 1, prefix: 'a two' })
      await table.finish(present(done), 500)
      await table.add(jobs('a two', 4).slice(3))
      assert.deepEqual(await table.busiest({ prefix: 'a', limit: 2 }), [
        { lane: 'a two', open: 3 },
        { lane: 'a one', open: 2 },
      ])
      assert.deepEqual(
        (await table.busiest({ limit: 10 })).map(({ lane }) => lane),
        ['b', 'a two', 'a one', 'a three'],
      )
      assert.deepEqual(await table.busiest({ prefix: 'c', limit: 10 }), [])
    })

    it('tells since when a lane has waited longest, of the lanes that are asked for', async () => {
      const from = (lane: string, ...times: (number | undefined)[]) =>
        times.map((since, n) => job(`${lane}/${n}`, { lane, dueAt: 100 + n, ...(since !== undefined && { since }) }))
      await table.add([...from('one', 1, 50, 40, undefined), ...from('two', 20, 30), ...from('three', undefined)])
      const [first] = await table.claim({ ...all, limit: 1, prefix: 'one' })
      assert.equal(first?.since, 1)
      assert.deepEqual(await table.busiest({ lanes: ['one', 'three', 'four'], limit: 10 }), [
        { lane: 'one', open: 4, oldest: 1 },
        { lane: 'three', open: 1 },
      ])
      await table.putBack(first, { dueAt: 9_000, body: {} })
      assert.equal((await table.get('one/0'))?.since, 1)
      const [again] = await table.claim({ ...all, now: 9_000, limit: 1, perLane: 1, prefix: 'two' })
      await table.finish(present(again), 500)
      assert.deepEqual(await table.busiest({ prefix: 't', lanes: ['one', 'two'], limit: 10 }), [
        { lane: 'two', open: 1, oldest: 30 },
      ])
      assert.deepEqual(await table.busiest({ lanes: [], limit: 10 }), [])
    })

    it('sweeps what was done before a time, and nothing else', async () => {
      await table.add([job('old'), job('young'), job('held'), job('free', { dueAt: 5000 })])
      const work = new Map((await table.claim(all)).map((row) => [row.id, row]))
      await table.finish(present(work.get('old')), 400)
      await table.finish(present(work.get('young')), 500)
      assert.equal(await table.sweep(500), 1)
      assert.equal(await table.get('old'), undefined)
      for (const id of ['young', 'held', 'free']) assert.ok(await table.get(id), id)
      assert.equal(await table.sweep(500), 0)
      await table.add([job('old')])
      assert.equal((await claimOne(table)).id, 'old')
    })
  })
}
