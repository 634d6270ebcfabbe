import assert from 'node:assert/strict'
import type { Appended, Commit } from '../../../lib/log/commit.ts'
import type { ReadOptions } from '../../../lib/log/event-store.ts'
import { only } from './expect.ts'
import { assertInvariants } from './invariants.ts'
import { commitTo, event, fresh, type MakeLog, openedLog, range } from './log-under-test.ts'

function positions(commits: readonly Commit[]): number[] {
  return commits.map(({ position }) => position)
}

export function readContract(makeLog: MakeLog): void {
  describe('read', () => {
    const log = openedLog(makeLog)
    const stream = fresh()
    let ten: number[] = []
    before('append ten commits, with others between', async () => {
      ten = []
      for (const n of range(10)) {
        ten.push((await log.store.append(commitTo(stream, { data: { n } }))).position)
        await log.store.append(commitTo(fresh()))
      }
    })

    it('goes forwards by itself, from the oldest', async () => {
      assert.deepEqual(positions(await log.store.read(stream)), ten)
    })

    it('goes backwards, from the newest', async () => {
      assert.deepEqual(positions(await log.store.read(stream, { direction: 'backwards' })), [...ten].reverse())
    })

    it('starts at `from`, which counts, in either direction', async () => {
      const from = ten[4] ?? 0
      assert.deepEqual(positions(await log.store.read(stream, { from })), ten.slice(4))
      assert.deepEqual(
        positions(await log.store.read(stream, { from, direction: 'backwards' })),
        ten.slice(0, 5).reverse(),
      )
    })

    it('starts at the next one when nothing of the stream is at `from`', async () => {
      const between = (ten[4] ?? 0) + 1
      assert.deepEqual(positions(await log.store.read(stream, { from: between })), ten.slice(5))
      assert.deepEqual(
        positions(await log.store.read(stream, { from: between, direction: 'backwards' })),
        ten.slice(0, 5).reverse(),
      )
    })

    it('ends at the limit', async () => {
      assert.deepEqual(positions(await log.store.read(stream, { limit: 3 })), ten.slice(0, 3))
      assert.deepEqual(
        positions(await log.store.read(stream, { limit: 3, direction: 'backwards' })),
        ten.slice(-3).reverse(),
      )
      const from = ten[6] ?? 0
      assert.deepEqual(positions(await log.store.read(stream, { from, limit: 2 })), ten.slice(6, 8))
      assert.deepEqual(positions(await log.store.read(stream, { limit: 100 })), ten)
      assert.deepEqual(await log.store.read(stream, { limit: 0 }), [])
      assert.deepEqual(await log.store.readAll({ after: 0, limit: 0 }), [])
    })

    it('finds nothing in a stream that nobody named, and nothing beyond the end', async () => {
      assert.deepEqual(await log.store.read(fresh()), [])
      assert.equal(await log.store.latest(fresh()), undefined)
      assert.deepEqual(await log.store.read(stream, { from: (await log.store.end()) + 1 }), [])
    })

    it('finds the newest as the latest', async () => {
      assert.equal((await log.store.latest(stream))?.position, ten.at(-1))
    })
  })

  describe('readStreams', () => {
    const log = openedLog(makeLog)

    it('merges streams: each commit once, in order', async () => {
      const [one, two, other] = [fresh(), fresh(), fresh()]
      const wanted: Appended[] = []
      for (const _ of range(3)) {
        wanted.push(await log.store.append(commitTo(two)))
        wanted.push(await log.store.append({ events: [event(one), event(two)] }))
        await log.store.append(commitTo(other))
        wanted.push(await log.store.append(commitTo(one, { also: [two] })))
      }
      for (const streams of [
        [one, two],
        [two, one],
        [one, two, one, fresh()],
      ]) {
        assert.deepEqual(
          positions(await log.store.readStreams(streams)),
          wanted.map(({ position }) => position),
        )
      }
    })

    it('reads a page of all the streams together, from any position on, forwards and backwards', async () => {
      const [one, two] = [fresh(), fresh()]
      const wanted: number[] = []
      for (const _ of range(3)) {
        wanted.push((await log.store.append(commitTo(one))).position)
        wanted.push((await log.store.append({ events: [event(one), event(two)] })).position)
      }
      const page = async (options: ReadOptions): Promise<number[]> =>
        positions(await log.store.readStreams([one, two], options))
      for (const limit of [0, 1, 2, 5, 6, 7]) {
        assert.deepEqual(await page({ limit }), wanted.slice(0, limit))
        assert.deepEqual(await page({ limit, direction: 'backwards' }), wanted.toReversed().slice(0, limit))
        for (const [index, from] of wanted.entries()) {
          const below = wanted.slice(0, index + 1).toReversed()
          assert.deepEqual(await page({ from, limit }), wanted.slice(index).slice(0, limit))
          assert.deepEqual(await page({ from, limit, direction: 'backwards' }), below.slice(0, limit))
        }
      }
    })

    it('finds nothing in no streams', async () => {
      assert.deepEqual(await log.store.readStreams([]), [])
      assert.deepEqual(await log.store.readStreams([fresh(), fresh()]), [])
    })
  })

  describe('readAll and end', () => {
    const log = openedLog(makeLog)
    const appended: Appended[] = []
    before('append twenty commits', async () => {
      for (const _ of range(20)) appended.push(await log.store.append(commitTo(fresh())))
    })

    it('reads everything above `after`, in order', async () => {
      const commits = await log.store.readAll({ after: 0, limit: 1000 })
      assert.deepEqual(
        commits.map(({ id }) => id),
        appended.map(({ id }) => id),
      )
      assertInvariants(commits, { dense: false })
      const after = appended[4]?.position ?? 0
      assert.deepEqual(positions(await log.store.readAll({ after, limit: 1000 })), positions(commits).slice(5))
    })

    it('begins at the beginning for who asks for what lies before it', async () => {
      const found = await log.store.readAll({ after: -7, limit: 2 })
      assert.deepEqual(
        found.map(({ position }) => position),
        appended.slice(0, 2).map(({ position }) => position),
      )
    })

    it('reads at most `limit`', async () => {
      const first = await log.store.readAll({ after: 0, limit: 7 })
      assert.deepEqual(
        first.map(({ id }) => id),
        appended.slice(0, 7).map(({ id }) => id),
      )
    })

    it('reads nothing beyond the end', async () => {
      assert.deepEqual(await log.store.readAll({ after: await log.store.end(), limit: 10 }), [])
      assert.deepEqual(await log.store.readAll({ after: (await log.store.end()) + 100, limit: 10 }), [])
    })

    it('moves the end with each append', async () => {
      const before = await log.store.end()
      assert.ok(before >= (appended.at(-1)?.position ?? 0))
      const { position, id } = await log.store.append(commitTo(fresh()))
      assert.ok((await log.store.end()) >= position)
      assert.equal(only(await log.store.readAll({ after: before, limit: 10 })).id, id)
    })
  })
}
