import assert from 'node:assert/strict'
import { Slots } from '../../lib/slots.ts'
import { FakeClock } from '../support/fake-clock.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Something that takes until the test says. */
function work(): {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (why: Error) => void
} {
  let [resolve, reject] = [(): void => {}, (_why: Error): void => {}]
  const promise = new Promise<void>((done, failed) => {
    resolve = done
    reject = failed
  })
  return { promise, resolve, reject }
}

describe('slots', () => {
  let clock: FakeClock
  let slots: Slots
  let freed: number

  beforeEach(() => {
    clock = new FakeClock()
    freed = 0
    slots = new Slots(clock, { most: 2, open: 3, overtakeMs: () => 100 }, () => {
      freed += 1
    })
  })

  it('are free again when what took them is done, whether it succeeds or fails', async () => {
    const [one, two] = [work(), work()]
    slots.occupy(one.promise)
    assert.equal(slots.isFree, true)
    slots.occupy(two.promise)
    assert.equal(slots.isFree, false)
    one.resolve()
    await turn()
    assert.equal(slots.isFree, true)
    two.reject(new Error('on purpose'))
    await turn()
    assert.ok(freed >= 2)
    assert.equal(clock.pending, 0)
  })

  it('are free again when what took them is overtaken, until so many are open', async () => {
    const silent = [work(), work(), work()] as const
    for (const { promise } of silent.slice(0, 2)) slots.occupy(promise)
    await clock.advance(99)
    assert.equal(slots.isFree, false)
    await clock.advance(1)
    assert.deepEqual([slots.isFree, freed], [true, 2])
    slots.occupy(silent[2].promise)
    await clock.advance(100)
    assert.equal(slots.isFree, false, 'three are open')
    silent[0].resolve()
    await turn()
    assert.equal(slots.isFree, true)
    for (const { resolve } of silent) resolve()
    await turn()
  })

  it('are not taken by what is only kept open, and count it', async () => {
    const [one, two, three] = [work(), work(), work()] as const
    for (const { promise } of [one, two, three]) slots.keepOpen(promise)
    assert.equal(slots.isFree, false)
    one.resolve()
    await turn()
    assert.equal(slots.isFree, true)
    two.resolve()
    three.resolve()
    await turn()
    assert.equal(freed, 3)
  })
})
