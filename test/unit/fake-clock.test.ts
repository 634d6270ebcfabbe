import assert from 'node:assert/strict'
import { FakeClock } from '../support/fake-clock.ts'

describe('the fake clock', () => {
  it('stands still', async () => {
    const clock = new FakeClock('2026-03-01T00:00:00Z')
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(clock.now(), Date.parse('2026-03-01T00:00:00Z'))
    assert.equal(clock.monotonic(), new FakeClock().monotonic())
  })

  it('calls timers at their moment and in their order, those set on the way included', async () => {
    const clock = new FakeClock(0)
    const calls: string[] = []
    const note = (name: string): void => {
      calls.push(`${name}@${clock.now()}`)
    }
    clock.setTimeout(() => note('c'), 30)
    clock.setTimeout(() => {
      note('a')
      clock.setTimeout(() => note('b'), 10)
    }, 10)
    clock.setTimeout(() => note('a2'), 10)
    clock.setTimeout(() => note('late'), 31)
    await clock.advance(30)
    assert.deepEqual(calls, ['a@10', 'a2@10', 'b@20', 'c@30'])
    assert.equal(clock.now(), 30)
    assert.equal(clock.pending, 1)
  })

  it('lets a loop of sleeps run as often as it should', async () => {
    const clock = new FakeClock()
    let rounds = 0
    const stop = new AbortController()
    const loop = (async () => {
      while (!stop.signal.aborted) {
        await clock.sleep(100, stop.signal)
        rounds += 1
      }
    })()
    await clock.advance(1_050)
    assert.equal(rounds, 10)
    stop.abort()
    await loop
    assert.equal(clock.pending, 0)
  })

  it('does not call a cancelled timer', async () => {
    const clock = new FakeClock()
    clock.setTimeout(() => assert.fail('called'), 5).cancel()
    await clock.advance(10)
  })

  it('moves the wall alone when it jumps', async () => {
    const clock = new FakeClock(1_000)
    const monotonic = clock.monotonic()
    let called = false
    clock.setTimeout(() => {
      called = true
    }, 100)
    clock.jumpWall(-500)
    assert.equal(clock.now(), 500)
    assert.equal(clock.monotonic(), monotonic)
    await clock.advance(99)
    assert.equal(called, false)
    await clock.advance(1)
    assert.equal(called, true)
    assert.equal(clock.now(), 600)
  })

  it('tells when the code under test has gone to sleep', async () => {
    const clock = new FakeClock()
    const asleep = clock.scheduled(2)
    clock.setTimeout(() => {}, 7)
    clock.setTimeout(() => {}, 9)
    await asleep
    assert.equal(clock.nextInMs, 7)
    await clock.advanceToNext()
    assert.equal(clock.nextInMs, 2)
  })
})
