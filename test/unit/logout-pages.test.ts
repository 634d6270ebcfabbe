import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { pagesOf } from '../../plugins/back-channel-logout/recording/pages.ts'
import { CLOCKS_APART_MS, positionAt } from '../../plugins/back-channel-logout/recording/position-at.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { all } from '../support/logout-log.ts'

describe('a log that is read page by page', () => {
  const streams = fc.uniqueArray(fc.constantFrom('a', 'b', 'c'))

  it('shows each commit of the streams once, in order, in pages of the size that is asked for', async () => {
    const range = fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 30 }))
    const order = fc.constantFrom('oldest' as const, 'newest' as const)
    const size = fc.integer({ min: 1, max: 7 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(streams, { maxLength: 25 }),
        streams,
        range,
        order,
        size,
        async (log, asked, ...how) => {
          const [[from, to], direction, most] = how
          const store = new MemoryEventStore()
          for (const also of log) await store.append({ events: [{ stream: 'x', also, type: 'happened', data: {} }] })
          const pages = await all(pagesOf(store, asked, { from, to, order: direction, size: most }))
          const positions = log.flatMap((of, i) => (of.some((stream) => asked.includes(stream)) ? [i + 1] : []))
          const expected = positions.filter((position) => position >= from && position <= to)
          assert.deepEqual(
            pages.flatMap((page) => page.map(({ position }) => position)),
            direction === 'oldest' ? expected : expected.toReversed(),
          )
          for (const page of pages) assert.ok(page.length >= 1 && page.length <= most)
          await store.close()
        },
      ),
    )
  })
})

describe('the place of a time in the log', () => {
  /** A log whose commits were made after these waits. */
  async function logOf(waitsMs: readonly number[]): Promise<{ store: MemoryEventStore; times: readonly number[] }> {
    const clock = new FakeClock()
    const store = new MemoryEventStore({ clock })
    const times: number[] = []
    for (const wait of waitsMs) {
      await clock.advance(wait)
      times.push(clock.now())
      await store.append({ events: [{ stream: 'x', type: 'happened', data: {} }] })
    }
    return { store, times }
  }

  it('is before all that was made then or later, and behind what is older than clocks may be apart', async () => {
    const hours = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(hours, fc.nat(60), async (waits, hour) => {
        const { store, times } = await logOf(waits.map((wait) => wait * 3_600_000))
        const time = new FakeClock().now() + hour * 3_600_000
        const position = await positionAt(store, time, await store.end())
        const older = times.filter((at) => at < time - CLOCKS_APART_MS).length
        assert.equal(position, older + 1)
        await store.close()
      }),
      { numRuns: 50 },
    )
  })

  it('is found by halving: a long log costs few reads', async () => {
    const { store } = await logOf(Array.from({ length: 300 }, () => 3_600_000))
    let reads = 0
    const readAll = store.readAll.bind(store)
    store.readAll = (options) => {
      reads += 1
      return readAll(options)
    }
    await positionAt(store, new FakeClock().now() + 200 * 3_600_000, await store.end())
    assert.ok(reads <= 9, `${reads} reads`)
    await store.close()
  })
})
