import assert from 'node:assert/strict'
import type { Document } from 'mongodb'
import { ChangeHint } from '../../adapters/mongodb/change-hint.ts'
import type { Collections } from '../../adapters/mongodb/collections.ts'
import { Wakeups } from '../../adapters/mongodb/wakeups.ts'
import { silent } from '../../lib/logger.ts'
import { FakeClock } from '../support/fake-clock.ts'

/** A server whose change stream tells of these positions, a list with each answer, and then of nothing more. */
function telling(lists: readonly (readonly number[])[]): { collections: Collections; isTold: Promise<void> } {
  const left = [...lists]
  let told = (): void => {}
  const isTold = new Promise<void>((resolve) => {
    told = resolve
  })
  const command = async ({ aggregate, getMore }: Document, { signal }: { signal: AbortSignal }): Promise<Document> => {
    if (aggregate !== undefined) return { cursor: { id: 7n, firstBatch: [] } }
    if (getMore === undefined) return {}
    const positions = left.shift()
    if (positions)
      return { cursor: { id: 7n, nextBatch: positions.map((_id) => ({ documentKey: { _id: BigInt(_id) } })) } }
    told()
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }
  const client = { startSession: () => ({ endSession: async () => {} }) }
  return { collections: { client, command, name: (name: string) => name } as unknown as Collections, isTold }
}

describe('the change stream of the log', () => {
  for (const [what, lists, wakes] of [
    ['nothing, while there is none', [], 0],
    ['what this process has appended', [[1], [2, 3]], 0],
    ['what others have appended', [[11], [12, 13]], 2],
    ['both at once', [[1, 11], [3]], 1],
  ] as const) {
    it(`wakes subscriptions ${wakes} times when it tells of ${what}`, async () => {
      const clock = new FakeClock()
      const wakeups = new Wakeups()
      const { collections, isTold } = telling(lists)
      const isOwn = (position: number): boolean => position < 10
      const hint = new ChangeHint({ collections, wakeups, clock, logger: silent, isOwn })
      let woken = 0
      const { wake } = wakeups
      wakeups.wake = () => {
        woken += 1
        wake.call(wakeups)
      }
      hint.start()
      await clock.advance(1_000) // a pause behind each answer that told nothing new
      await isTold
      assert.equal(woken, 1 + wakes) // once when it was opened
      await hint.stop()
    })
  }
})
