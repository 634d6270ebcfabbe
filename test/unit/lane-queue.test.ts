import assert from 'node:assert/strict'
import fc from 'fast-check'
import { compareDue, LaneQueue } from '../../adapters/memory/lane-queue.ts'
import type { Work } from '../../lib/index.ts'

/** A lane as the work table keeps it: rows by id, of which those wait that are named. */
class Lane {
  readonly rows = new Map<string, Work>()
  comparisons = 0
  looks = 0
  readonly queue = new LaneQueue(
    (row) => {
      this.looks += 1
      return this.rows.get(row.id) === row
    },
    (a, b) => {
      this.comparisons += 1
      return compareDue(a, b)
    },
  )

  set(id: string, dueAt: number): void {
    const before = this.rows.get(id)
    const row: Work = { id, lane: 'lane', dueAt, fence: 0, body: {} }
    this.rows.set(id, row)
    if (before) this.queue.dropped()
    this.queue.add(row)
  }

  delete(id: string): void {
    if (this.rows.delete(id)) this.queue.dropped()
  }

  /** What waits, in order. */
  sorted(): Work[] {
    return [...this.rows.values()].sort(compareDue)
  }
}

describe('what waits in a lane of the store in memory', () => {
  it('is found in the order of due times and ids, whatever was added, changed and taken before', () => {
    const id = fc.integer({ min: 0, max: 60 }).map(String)
    const step = fc.oneof(
      { arbitrary: fc.record({ id, dueAt: fc.integer({ min: 0, max: 1_000 }) }), weight: 3 },
      { arbitrary: fc.record({ id, dueAt: fc.constant(undefined) }), weight: 2 },
    )
    fc.assert(
      fc.property(fc.array(step, { minLength: 100, maxLength: 400 }), fc.nat(1_000), fc.nat(40), (steps, now, most) => {
        const lane = new Lane()
        for (const { id, dueAt } of steps) {
          if (dueAt === undefined) lane.delete(id)
          else lane.set(id, dueAt)
          const due = lane.sorted().filter((row) => row.dueAt <= now)
          assert.deepEqual(lane.queue.due(most, now), due.slice(0, most))
          assert.equal(lane.queue.first(), lane.sorted()[0])
          assert.equal(lane.queue.size, lane.rows.size)
        }
        assert.deepEqual(lane.queue.rows().sort(compareDue), lane.sorted())
      }),
    )
  })

  for (const rows of [1, 100, 10_000]) {
    it(`costs each row its logarithm, where ${rows} wait`, () => {
      const lane = new Lane()
      for (let i = 0; i < rows; i++) lane.set(String(i), 2 * rows - i)
      for (let i = 0; i < rows; i++) lane.set(String(i), 0)
      assert.equal(lane.queue.due(256, rows).length, Math.min(256, rows))
      const each = 8 * Math.ceil(Math.log2(rows + 1))
      assert.ok(lane.comparisons <= rows * each, `${lane.comparisons} comparisons`)
      for (let i = 1; i < rows; i++) lane.delete(String(i))
      lane.looks = 0
      assert.equal(lane.queue.rows().length, 1)
      assert.ok(lane.looks <= 32, `${lane.looks} rows are looked at where one waits`)
    })
  }
})
