import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { Entry, Journal } from '../../adapters/memory/journal.ts'
import { commitTo, range } from '../contract/event-store/log-under-test.ts'

/** A journal that counts what it is given. */
class CountingJournal implements Journal {
  readonly batches: { readonly entries: number; readonly bytes: number }[] = []

  async write(entries: readonly Entry[]): Promise<void> {
    this.batches.push({ entries: entries.length, bytes: JSON.stringify(entries).length })
  }

  async close(): Promise<void> {}

  get bytes(): number {
    return this.batches.reduce((sum, batch) => sum + batch.bytes, 0)
  }
}

describe('what the store in memory hands to its journal', () => {
  for (const count of [1, 100, 10_000]) {
    it(`for ${count} appends at once is batches of at most 1,000 entries`, async () => {
      const journal = new CountingJournal()
      const store = new MemoryEventStore({ journal })
      const appended = await Promise.all(range(count).map((n) => store.append(commitTo(`s${n}`))))
      assert.deepEqual(
        appended.map(({ position }) => position),
        range(count).map((n) => n + 1),
      )
      assert.ok(journal.batches.every(({ entries }) => entries <= 1_000))
      assert.ok(journal.batches.length <= Math.ceil(count / 1_000))
      await store.close()
    })
  }

  it('for large appends at once is batches of at most 16 MB', async () => {
    const journal = new CountingJournal()
    const store = new MemoryEventStore({ journal })
    const text = 'x'.repeat(1024 * 1024)
    await Promise.all(range(40).map((n) => store.append(commitTo(`s${n}`, { data: { text } }))))
    assert.ok(journal.batches.every(({ bytes }) => bytes <= 16 * 1024 * 1024))
    assert.ok(journal.batches.length <= 6, `${journal.batches.length} batches`)
    await store.close()
  })

  it('for an append does not depend on how long the stream and the log are', async () => {
    const journal = new CountingJournal()
    const store = new MemoryEventStore({ journal })
    const sizes = new Set<number>()
    for (const length of [1, 100, 10_000]) {
      while ((await store.end()) < length) await store.append(commitTo('a'))
      const before = journal.bytes
      await store.append(commitTo('a'))
      sizes.add(journal.bytes - before - String(await store.end()).length)
    }
    assert.equal(sizes.size, 1)
    await store.close()
  })

  it('is nothing for signs of life, however many', async () => {
    const journal = new CountingJournal()
    const store = new MemoryEventStore({ journal })
    const before = journal.bytes
    for (const _ of range(10_000)) {
      await store.liveness.beat(['me'])
      await store.work('jobs').claim({ holder: 'me', now: 1, limit: 1, perLane: 1 })
    }
    assert.equal(journal.bytes, before)
    await store.close()
  })
})
