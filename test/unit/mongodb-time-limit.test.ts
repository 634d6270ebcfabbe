import assert from 'node:assert/strict'
import { TimeLimit } from '../../adapters/mongodb/time-limit.ts'
import { FakeClock } from '../support/fake-clock.ts'

interface Thing {
  readonly name: string
  readonly since: number
}

describe('a time limit of many things', () => {
  let clock: FakeClock
  let limit: TimeLimit<Thing>
  let late: string[]

  beforeEach(() => {
    clock = new FakeClock()
    late = []
    limit = new TimeLimit(clock, 1_000, ({ name }) => late.push(name))
  })

  const begin = (name: string, agoMs = 0): Thing => {
    const thing = { name, since: clock.monotonic() - agoMs }
    limit.add(thing)
    return thing
  }

  it('ends each in its time, also one that began before others and is added after them', async () => {
    begin('young')
    begin('old', 800)
    await clock.advance(200)
    assert.deepEqual(late, ['old'])
    await clock.advance(799)
    assert.deepEqual(late, ['old'])
    await clock.advance(1)
    assert.deepEqual(late, ['old', 'young'])
    assert.equal(clock.pending, 0)
  })

  it('ends nothing that was removed, and has one timer', async () => {
    const things = Array.from({ length: 100 }, (_, n) => begin(`${n}`))
    assert.equal(clock.pending, 1)
    for (const thing of things) limit.remove(thing)
    await clock.advance(5_000)
    assert.deepEqual([late, clock.pending], [[], 0])
  })

  it('may be given something new by what it ends', async () => {
    limit = new TimeLimit(clock, 1_000, ({ name }) => {
      late.push(name)
      if (late.length < 3) limit.add({ name: `after ${name}`, since: clock.monotonic() })
    })
    begin('a')
    await clock.advance(3_000)
    assert.deepEqual(late, ['a', 'after a', 'after after a'])
  })

  it('tells what was left when it is stopped, and ends nothing more', async () => {
    const thing = begin('a')
    assert.deepEqual(limit.stop(), [thing])
    await clock.advance(5_000)
    assert.deepEqual([late, clock.pending], [[], 0])
  })
})
