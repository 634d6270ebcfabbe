import assert from 'node:assert/strict'
import fc from 'fast-check'
import { AppendQueue } from '../../adapters/mongodb/append-queue.ts'
import type { Pending } from '../../adapters/mongodb/pending.ts'

const ANY = { commits: 1_000, bytes: 1_000_000 }

/** How often the streams of any append were gone through. */
let looks = 0

class CountedStreams extends Set<string> {
  override [Symbol.iterator](): SetIterator<string> {
    looks++
    return super[Symbol.iterator]()
  }
}

function pending(streams: readonly string[], bytes = 1): Pending {
  const commit = { stateStreams: new CountedStreams(streams) } as unknown as Pending['commit']
  return { commit, bytes } as Pending
}

describe('the queue of appends', () => {
  it('gives them in order, a batch at a time', () => {
    const queue = new AppendQueue()
    const all = ['a', 'b', 'c'].map((stream) => pending([stream]))
    for (const one of all) queue.push(one)
    assert.deepEqual(queue.take({ commits: 2, bytes: 100 }), all.slice(0, 2))
    assert.deepEqual(queue.take(ANY), all.slice(2))
    assert.deepEqual(queue.take(ANY), [])
  })

  it('gives no more bytes than are wanted, and one append however large it is', () => {
    const queue = new AppendQueue()
    const [large, small, other] = [pending(['a'], 50), pending(['b'], 5), pending(['c'], 6)]
    for (const one of [large, small, other]) queue.push(one)
    const limits = { commits: 10, bytes: 10 }
    assert.deepEqual(queue.take(limits), [large])
    assert.deepEqual(queue.take(limits), [small])
    assert.deepEqual(queue.take(limits), [other])
  })

  it('is full of commits or of bytes, of those that wait only', () => {
    const queue = new AppendQueue()
    const [one, two] = [pending(['a'], 10), pending(['b'], 10)]
    queue.push(one)
    assert.equal(queue.isFull({ commits: 1, bytes: 100 }), true)
    assert.equal(queue.isFull({ commits: 2, bytes: 10 }), true)
    assert.equal(queue.isFull({ commits: 2, bytes: 11 }), false)
    queue.take(ANY)
    assert.equal(queue.isFull({ commits: 1, bytes: 1 }), false)
    queue.putBack(one)
    queue.push(two)
    assert.equal(queue.isFull({ commits: 2, bytes: 100 }), true)
    queue.leave(one)
    queue.leave(two)
    assert.equal(queue.isFull({ commits: 1, bytes: 1 }), false)
  })

  it('gives first what is sent again', () => {
    const queue = new AppendQueue()
    const [one, two] = [pending(['a']), pending(['b'])]
    queue.push(one)
    queue.take(ANY)
    queue.push(two)
    queue.putBack(one)
    assert.deepEqual(queue.take(ANY), [one, two])
  })

  it('keeps all order that counts, whatever is taken, put back, given up or done', () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('push' as const),
        streams: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1, maxLength: 3 }),
      }),
      fc.record({ kind: fc.constantFrom('take', 'leave', 'giveUp', 'putBack'), which: fc.nat() }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const queue = new AppendQueue()
        let waiting: Pending[] = []
        let taken: Pending[] = []
        const isBehind = (one: Pending, others: readonly Pending[]): boolean =>
          others.some((other) => [...other.commit.stateStreams].some((stream) => one.commit.stateStreams.has(stream)))
        const mayGo = (): Pending[] =>
          waiting.filter((one, index) => !isBehind(one, taken) && !isBehind(one, waiting.slice(0, index)))
        for (const step of steps) {
          if (step.kind === 'push') {
            const one = pending(step.streams)
            waiting.push(one)
            queue.push(one)
          } else if (step.kind === 'take') {
            const expected = mayGo()
            const batch = queue.take(ANY)
            assert.deepEqual(new Set(batch), new Set(expected))
            waiting = waiting.filter((one) => !batch.includes(one))
            taken = [...taken, ...batch]
          } else {
            const from = step.kind === 'giveUp' ? waiting : taken
            const one = from[step.which % from.length]
            if (!one) continue
            if (step.kind === 'giveUp') waiting = waiting.filter((other) => other !== one)
            else taken = taken.filter((other) => other !== one)
            if (step.kind === 'putBack') {
              waiting = [one, ...waiting] // it stands where it stood, before all that came after it
              queue.putBack(one)
            } else queue.leave(one)
          }
        }
        for (;;) {
          for (const one of taken) queue.leave(one)
          taken = queue.take(ANY)
          if (taken.length === 0) break
          waiting = waiting.filter((one) => !taken.includes(one))
        }
        assert.deepEqual(waiting, [], 'all of them got their turn')
      }),
      { numRuns: 1_000 },
    )
  })

  for (const waiting of [1, 100, 10_000]) {
    it(`looks at what it gives, whether or not ${waiting} wait behind one that is in flight`, () => {
      const queue = new AppendQueue()
      queue.push(pending(['busy']))
      queue.take(ANY)
      for (let n = 0; n < waiting; n++) queue.push(pending(['busy']))
      looks = 0
      for (let n = 0; n < 100; n++) {
        const one = pending([`free-${n}`])
        queue.push(one)
        assert.deepEqual(queue.take(ANY), [one])
        queue.leave(one)
      }
      assert.equal(looks, 200)
    })
  }
})
