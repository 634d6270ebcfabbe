import assert from 'node:assert/strict'
import type { Commit } from '../../../lib/log/commit.ts'
import type { EventStore } from '../../../lib/log/event-store.ts'
import { commitTo, type MakeLog, withLog } from './log-under-test.ts'

/** What retention needs of a store. */
export function retentionContract(makeLog: MakeLog, kept: boolean): void {
  describe('retention', () => {
    it('removes commits for good, and nothing else', () =>
      withStore(makeLog, async (store) => {
        const positions = await append(store, 6)
        const [first, second, third, fourth, fifth, last] = positions as [
          number,
          number,
          number,
          number,
          number,
          number,
        ]
        await store.retention.remove({ positions: [first, third], tombstones: { from: first, to: third } })
        assert.deepEqual(positionsOf(await store.readAll({ after: 0, limit: 10 })), [second, fourth, fifth, last])
        assert.deepEqual(positionsOf(await store.readAll({ after: first, limit: 2 })), [second, fourth])
        assert.deepEqual(positionsOf(await store.read('all')), [second, fourth, fifth, last])
        assert.deepEqual(positionsOf(await store.read('all', { limit: 2 })), [second, fourth])
        assert.deepEqual(positionsOf(await store.read('all', { direction: 'backwards', from: fourth, limit: 2 })), [
          fourth,
          second,
        ])
        assert.equal(await store.latest(`own:${third - 1}`), undefined)
        assert.equal(await store.latest('n:2'), undefined)
        assert.equal((await store.latest('n:3'))?.position, fourth)
        assert.equal(await store.end(), last)
        assert.equal((await store.append(commitTo('all'))).position > last, true)
      }))

    it('raises the floor to the highest that went, and never lowers it', () =>
      withStore(makeLog, async (store) => {
        const positions = await append(store, 5)
        assert.equal(await store.retention.floor(), 0)
        await store.retention.remove({ positions: positions.slice(2, 4) })
        assert.equal(await store.retention.floor(), positions[3])
        await store.retention.remove({ positions: positions.slice(0, 1) })
        assert.equal(await store.retention.floor(), positions[3])
        await store.retention.remove({ positions: [] })
        assert.equal(await store.retention.floor(), positions[3])
      }))

    it('may be done twice', () =>
      withStore(makeLog, async (store) => {
        const positions = await append(store, 3)
        for (let times = 0; times < 2; times++) await store.retention.remove({ positions: positions.slice(0, 2) })
        assert.deepEqual(positionsOf(await store.readAll({ after: 0, limit: 10 })), positions.slice(2))
      }))

    it('who follows the log gets what is left, in order, and waits for nothing that is not', () =>
      withStore(makeLog, async (store) => {
        const positions = await append(store, 8)
        const going = [0, 1, 3, 5].map((index) => positions[index] as number)
        await store.retention.remove({ positions: going })
        const left = positions.filter((position) => !going.includes(position))
        assert.deepEqual(await followed(store, 0, left.length), left)
        assert.deepEqual(await followed(store, positions[2] as number, 3), left.slice(1))
        const next = await store.append(commitTo('all'))
        assert.deepEqual(await followed(store, positions[1] as number, left.length + 1), [...left, next.position])
      }))

    it('what is removed while somebody follows the log does not hold it up', () =>
      withStore(makeLog, async (store) => {
        const positions = await append(store, 4)
        const controller = new AbortController()
        const seen: number[] = []
        for await (const commits of store.subscribe({ after: 0, signal: controller.signal })) {
          seen.push(...positionsOf(commits))
          if (seen.length === 4) {
            await store.retention.remove({ positions: positions.slice(0, 3) })
            await store.append(commitTo('all'))
          }
          if (seen.length === 5) break
        }
        assert.equal(seen.length, 5)
      }))

    it('what it remembers is written only over what was read', () =>
      withStore(makeLog, async (store) => {
        assert.equal(await store.retention.state(), undefined)
        assert.equal(await store.retention.save(1, { at: 0 }), false)
        assert.equal(await store.retention.save(0, { at: 1, deep: { list: [[1, 2]] } }), true)
        assert.equal(await store.retention.save(0, { at: 2 }), false)
        assert.deepEqual(await store.retention.state(), { revision: 1, state: { at: 1, deep: { list: [[1, 2]] } } })
        const saved = await Promise.all([3, 4, 5].map((at) => store.retention.save(1, { at })))
        assert.equal(saved.filter(Boolean).length, 1)
        assert.equal((await store.retention.state())?.revision, 2)
      }))

    it('tells the time', () =>
      withStore(makeLog, async (store) => {
        const [before, after] = [await store.retention.time(), await store.retention.time()]
        assert.ok(before > 0 && after >= before)
      }))

    if (!kept) return

    it('is kept', () =>
      withLog(makeLog, async (open) => {
        const store = await open()
        const positions = await append(store, 4)
        await store.retention.remove({ positions: positions.slice(0, 2) })
        await store.retention.save(0, { at: 1 })
        await store.close()
        const again = await open()
        assert.deepEqual(positionsOf(await again.readAll({ after: 0, limit: 10 })), positions.slice(2))
        assert.equal(await again.retention.floor(), positions[1])
        assert.deepEqual(await again.retention.state(), { revision: 1, state: { at: 1 } })
      }))
  })
}

function withStore(makeLog: MakeLog, use: (store: EventStore) => Promise<void>): Promise<void> {
  return withLog(makeLog, async (open) => use(await open()))
}

async function append(store: EventStore, count: number): Promise<number[]> {
  const positions: number[] = []
  for (let n = 0; n < count; n++) {
    const { position } = await store.append({
      events: [{ stream: `own:${n}`, also: ['all', `n:${n}`], type: 'happened', data: { n } }],
    })
    positions.push(position)
  }
  return positions
}

function positionsOf(commits: readonly Commit[]): number[] {
  return commits.map(({ position }) => position)
}

async function followed(store: EventStore, after: number, count: number): Promise<number[]> {
  const seen: number[] = []
  for await (const commits of store.subscribe({ after })) {
    seen.push(...positionsOf(commits))
    if (seen.length >= count) break
  }
  return seen
}
