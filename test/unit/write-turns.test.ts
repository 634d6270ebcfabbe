import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { ModelState } from '../../lib/provider/model-state.ts'
import { type WriteTurn, WriteTurns } from '../../lib/provider/write-turns.ts'
import { FakeClock } from '../support/fake-clock.ts'

describe('the turns of commits that write the same sessions', () => {
  const clock = new FakeClock()
  let turns: WriteTurns

  beforeEach(() => {
    turns = new WriteTurns()
  })

  it('are one after the other for each session, in the order of arrival, whatever sessions a commit writes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { minLength: 1 }), { maxLength: 12 }),
        async (commits) => {
          const inside = new Map<string, number>()
          const served: number[] = []
          await Promise.all(
            commits.map(async (uids, n) => {
              const turn = await turns.enter(uids, clock)
              for (const uid of uids) {
                assert.ok(!inside.has(uid), `${inside.get(uid)} and ${n} write ${uid} at once`)
                inside.set(uid, n)
              }
              served.push(n)
              await new Promise(setImmediate)
              for (const uid of uids) inside.delete(uid)
              turn.leave()
            }),
          )
          assert.equal(served.length, commits.length)
          for (const uid of ['a', 'b', 'c']) {
            const alone = served.filter((n) => commits[n]?.length === 1 && commits[n]?.[0] === uid)
            assert.deepEqual(
              alone,
              alone.toSorted((a, b) => a - b),
            )
          }
        },
      ),
    )
  })

  it('tell the next commit what the one before has left, and nobody once the line is empty', async () => {
    const state = { position: 7 } as ModelState
    const first = await turns.enter(['a'], clock)
    const second = turns.enter(['a'], clock)
    first.left('a', state)
    first.leave()
    assert.equal((await second).newest('a'), state)
    ;(await second).left('a', undefined)
    const third = turns.enter(['a'], clock)
    ;(await second).leave()
    assert.equal((await third).newest('a'), undefined)
    ;(await third).left('a', state)
    ;(await third).leave()
    const later = await turns.enter(['a'], clock)
    assert.equal(later.newest('a'), undefined)
    later.leave()
  })

  it('end after 10 s for whoever waits, and not for those behind who came later', async () => {
    const holder = await turns.enter(['a'], clock)
    const early = turns.enter(['a'], clock)
    const gaveUp = assert.rejects(early, { code: 'STORE_UNAVAILABLE' })
    await clock.advance(9_999)
    const late = turns.enter(['a'], clock)
    let isLateIn = false
    const entered = late.then((turn): WriteTurn => {
      isLateIn = true
      return turn
    })
    await clock.advance(1)
    await gaveUp
    await new Promise(setImmediate)
    assert.equal(isLateIn, false, 'the one who gave up must not let others in')
    holder.leave()
    ;(await entered).leave()
  })

  it('keep no line of a commit that gave up between two sessions', async () => {
    const holder = await turns.enter(['b'], clock)
    const both = assert.rejects(turns.enter(['b', 'a'], clock), { code: 'STORE_UNAVAILABLE' })
    await new Promise(setImmediate)
    await clock.advance(10_000)
    await both
    const other = await turns.enter(['a'], clock) // nobody holds it
    other.leave()
    holder.leave()
  })
})
