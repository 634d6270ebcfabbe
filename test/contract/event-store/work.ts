import assert from 'node:assert/strict'
import type { WorkTable } from '../../../lib/log/work-table.ts'
import { present } from './expect.ts'
import { type MakeLog, openedLog, range } from './log-under-test.ts'
import { all, claimOne, freshTable, idsOf, job, jobs } from './work-fixture.ts'

export function workContract(makeLog: MakeLog): void {
  describe('work that is added and claimed', () => {
    const log = openedLog(makeLog)
    let table: WorkTable
    beforeEach(() => {
      table = freshTable(log.store)
    })

    it('adds work that is then there, free and as it was given', async () => {
      const body = { 'a.b': [{ $set: 'é😀' }], n: 1.5, nothing: null }
      await table.add([job('a/1', { lane: 'https://rp.example/$x.y', body })])
      const { fence, ...work } = present(await table.get('a/1'))
      assert.deepEqual(work, { id: 'a/1', lane: 'https://rp.example/$x.y', dueAt: 100, body })
      assert.ok(Number.isSafeInteger(fence))
      assert.equal(await table.get('a/2'), undefined)
    })

    it('adds only what is not there yet, whatever its state', async () => {
      await table.add([job('free', { body: { n: 1 } }), job('held', { dueAt: 1 }), job('done', { dueAt: 2 })])
      const [held, done] = await table.claim({ ...all, limit: 2 })
      await table.finish(present(done), 500)
      const before = await Promise.all(['free', 'held', 'done'].map((id) => table.get(id)))
      await table.add(['free', 'held', 'done', 'new'].map((id) => job(id, { dueAt: 7, body: { n: 2 } })))
      assert.deepEqual(await Promise.all(['free', 'held', 'done'].map((id) => table.get(id))), before)
      assert.equal(present(held).id, 'held')
      assert.deepEqual((await table.get('new'))?.body, { n: 2 })
    })

    it('adds a row once when many add it at the same time', async () => {
      await Promise.all(range(16).map((n) => table.add(range(10).map((id) => job(`${id}`, { body: { n } })))))
      assert.equal(await table.countOpen({ lane: 'rp' }), 10)
      assert.equal((await table.claim(all)).length, 10)
    })

    it('takes an empty list and a list that names a row twice', async () => {
      await table.add([])
      await table.add([job('a', { body: { n: 1 } }), job('a', { body: { n: 2 } })])
      assert.deepEqual((await claimOne(table)).body, { n: 1 })
    })

    it('keeps what was given, whatever the caller does to it afterwards', async () => {
      const body = { list: [1] }
      const added = table.add([job('a', { body })])
      body.list.push(2)
      await added
      const work = await claimOne(table)
      assert.deepEqual(work.body, { list: [1] })
      const later = { list: [3] }
      const back = table.putBack(work, { dueAt: 100, body: later })
      later.list.push(4)
      await back
      assert.deepEqual((await table.get('a'))?.body, { list: [3] })
    })

    it('keeps tables apart', async () => {
      const other = freshTable(log.store)
      await table.add([job('a')])
      assert.equal(await other.get('a'), undefined)
      assert.deepEqual(await other.claim(all), [])
      await claimOne(table)
    })

    it('hands out what is due, not before', async () => {
      await table.add([job('now', { dueAt: 1000 }), job('later', { dueAt: 1001 })])
      assert.deepEqual(idsOf(await table.claim(all)), ['now'])
      assert.deepEqual(await table.claim(all), [])
      assert.deepEqual(idsOf(await table.claim({ ...all, now: 1001 })), ['later'])
    })

    it('hands out a row to one holder, with a higher fence', async () => {
      await table.add([job('a')])
      const before = present(await table.get('a'))
      const work = await claimOne(table)
      assert.equal(work.holder, 'me')
      assert.ok(work.fence > before.fence)
      assert.deepEqual(await table.get('a'), work)
      assert.deepEqual(await table.claim({ ...all, holder: 'other' }), [])
      assert.deepEqual(await table.claim(all), [])
    })

    it('hands out the oldest of a lane first', async () => {
      await table.add([job('c', { dueAt: 3 }), job('a', { dueAt: 1 }), job('d', { dueAt: 4 }), job('b', { dueAt: 2 })])
      assert.deepEqual(idsOf(await table.claim({ ...all, limit: 3 })).sort(), ['a', 'b', 'c'])
    })

    it('hands out at most `limit`', async () => {
      await table.add(jobs('rp', 10))
      assert.equal((await table.claim({ ...all, limit: 4 })).length, 4)
      assert.equal((await table.claim({ ...all, limit: 0 })).length, 0)
      assert.equal((await table.claim(all)).length, 6)
    })

    it('hands out at most `perLane` of each lane, the oldest', async () => {
      await table.add([...jobs('one', 5), ...jobs('two', 1), ...jobs('three', 5, 50)])
      assert.deepEqual(idsOf(await table.claim({ ...all, perLane: 2 })).sort(), [
        'one/0',
        'one/1',
        'three/0',
        'three/1',
        'two/0',
      ])
    })

    it('keeps to the free slots of a lane where it is told one, less than `perLane` or more', async () => {
      for (const lane of ['full', 'none', 'little', 'some', 'much', 'unknown']) await table.add(jobs(lane, 5))
      const freeSlots = new Map([
        ['full', -3],
        ['none', 0],
        ['little', 1],
        ['some', 4],
        ['much', 100],
      ])
      const counts = new Map<string, number>()
      for (const { lane } of await table.claim({ ...all, perLane: 2, freeSlots })) {
        counts.set(lane, (counts.get(lane) ?? 0) + 1)
      }
      assert.deepEqual(
        counts,
        new Map([
          ['little', 1],
          ['some', 4],
          ['much', 5],
          ['unknown', 2],
        ]),
      )
    })

    it('keeps to `limit` where the lanes have more free slots, and goes through them in turn', async () => {
      await table.add([...jobs('one', 10), ...jobs('two', 10)])
      const freeSlots = new Map([
        ['one', 8],
        ['two', 8],
      ])
      const claimed = await table.claim({ ...all, limit: 6, perLane: 1, freeSlots })
      assert.deepEqual(idsOf(claimed).sort(), ['one/0', 'one/1', 'one/2', 'two/0', 'two/1', 'two/2'])
    })

    it('finds a lane with free slots behind one that is full, however much waits there', async () => {
      await table.add([...jobs('full', 300, 1), ...jobs('quiet', 1, 900)])
      const freeSlots = new Map([['full', 0]])
      assert.deepEqual(idsOf(await table.claim({ ...all, limit: 1, freeSlots })), ['quiet/0'])
    })

    it('goes through lanes in turn: a busy one does not starve the others', async () => {
      await table.add([...jobs('busy', 50, 1), ...jobs('two', 3), ...jobs('three', 3)])
      const lanes = (await table.claim({ ...all, limit: 6 })).map(({ lane }) => lane)
      assert.deepEqual(lanes.sort(), ['busy', 'busy', 'three', 'three', 'two', 'two'])
    })

    it('comes to every lane, also where there are more of them than may be claimed at a time', async () => {
      for (const lane of ['one', 'two', 'three', 'four']) await table.add(jobs(lane, 100))
      const seen = new Set<string>()
      for (let turn = 0; turn < 90; turn++) seen.add((await claimOne(table)).lane)
      assert.equal(seen.size, 4)
    })

    it('never hands a row to two that claim at once', async () => {
      await table.add(range(200).map((n) => job(`${n}`, { lane: `rp-${n % 7}`, dueAt: n })))
      const claimed: string[] = []
      const claimUntilNothing = async (holder: string, now: number = all.now): Promise<void> => {
        for (;;) {
          const work = await table.claim({ ...all, now, holder, limit: 5, perLane: 2 })
          if (work.length === 0) return
          for (const row of work) assert.equal(row.holder, holder)
          claimed.push(...idsOf(work))
        }
      }
      await Promise.all(range(16).map((n) => claimUntilNothing(`worker-${n}`)))
      // Where an answer was lost, what it would have handed out is found again a moment later; that answer may be lost too.
      for (let later = 1; claimed.length < 200 && later <= 10; later++) {
        await claimUntilNothing('last', all.now + later * 60_000)
      }
      assert.equal(claimed.length, 200)
      assert.equal(new Set(claimed).size, 200)
    })
  })
}
