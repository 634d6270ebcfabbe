import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type SignsOfLife, watchSignsOfLife } from '../../lib/log/signs-of-life.ts'
import { FakeClock } from '../support/fake-clock.ts'

describe('who watches for signs of life', () => {
  let store: MemoryEventStore
  let clock: FakeClock

  beforeEach(() => {
    store = new MemoryEventStore()
    clock = new FakeClock()
  })

  afterEach(() => store.close())

  async function watched(holders: readonly string[], meanwhile: () => Promise<void>): Promise<SignsOfLife> {
    const watching = watchSignsOfLife({ store, clock }, holders)
    await clock.scheduled()
    await meanwhile()
    return watching
  }

  it('is done as soon as each has shown one', async () => {
    await store.liveness.beat(['one', 'two'])
    const { living, dead } = await watched(['one'], async () => {
      await store.liveness.beat(['one', 'two'])
      await clock.advance(500)
    })
    assert.deepEqual([[...living], dead.size, clock.pending], [['one', 'two'], 0, 0])
  })

  it('takes for dead, after ten seconds, who shows none, and who has left none', async () => {
    await store.liveness.beat(['silent'])
    const began = clock.monotonic()
    const { living, dead } = await watched(['unknown'], () => clock.advance(10_000))
    assert.deepEqual([living.size, [...dead.keys()].sort()], [0, ['silent', 'unknown']])
    assert.equal(clock.monotonic() - began, 10_000)
  })

  it('takes nobody for dead since one answer of the store took a minute', async () => {
    await store.liveness.beat(['alive'])
    const { beat } = store.liveness
    let looks = 0
    store.liveness.beat = async (holders) => {
      if (++looks === 2) await clock.sleep(60_000)
      return beat.call(store.liveness, holders)
    }
    const { living, dead } = await watched([], async () => {
      await clock.advance(60_500)
      await beat.call(store.liveness, ['alive'])
      await clock.advance(500)
    })
    assert.deepEqual([[...living], dead.size], [['alive'], 0])
  })
})
