import assert from 'node:assert/strict'
import type { IndexEntry, IndexTable, NewIndexEntry } from '../../../lib/log/index-table.ts'
import { type MakeLog, openedLog, range, withLog } from './log-under-test.ts'

let indexes = 0

function entry(id: string, position: number, more: Partial<NewIndexEntry> = {}): NewIndexEntry {
  return { id, keys: ['all'], position, ...more }
}

export function indexesContract(makeLog: MakeLog, kept: boolean): void {
  describe('an index of what lives', () => {
    const log = openedLog(makeLog)
    let index: IndexTable
    beforeEach(() => {
      indexes += 1
      index = log.store.index(`index_${indexes}`)
    })

    const ids = async (key: string = 'all'): Promise<string[]> =>
      (await index.list({ key, limit: 1_000 })).map(({ id }) => id)

    it('lists what is under a key, what was put last first, as it was put', async () => {
      const entries = [
        entry('a.$b', 3, { keys: ['all', 'x.y $z'], expiresAt: 5_000 }),
        entry('b', 9, { keys: ['x.y $z'] }),
        entry('c', 5),
      ]
      await index.put(entries)
      const [a, b, c] = entries.map((one) => ({ ...one, first: one.position }))
      assert.deepEqual(await index.list({ key: 'all', limit: 10 }), [c, a])
      assert.deepEqual(await index.list({ key: 'x.y $z', limit: 10 }), [b, a])
      assert.deepEqual(await index.list({ key: 'x', limit: 10 }), [])
    })

    it('lists page by page, also what was put by one commit', async () => {
      await index.put(range(25).map((n) => entry(`${n}`.padStart(2, '0'), Math.floor(n / 10))))
      const seen: string[] = []
      for (let after: IndexEntry | undefined; ; ) {
        const page = await index.list({ key: 'all', limit: 4, ...(after && { after }) })
        seen.push(...page.map(({ id }) => id))
        after = page.at(-1)
        if (!after) break
      }
      assert.deepEqual(
        seen,
        range(25).map((n) => `${24 - n}`.padStart(2, '0')),
      )
    })

    it('moves an entry on, and never back', async () => {
      await index.put([entry('a', 5, { expiresAt: 500 }), entry('b', 6)])
      await index.put([entry('a', 7, { keys: ['all', 'more'], expiresAt: 700 })])
      await index.put([entry('b', 8)])
      await index.put([entry('a', 4, { keys: ['all', 'more'], expiresAt: 400 })])
      assert.deepEqual(await ids(), ['b', 'a'], 'where it stands is decided by its first commit')
      assert.deepEqual(await index.list({ key: 'more', limit: 1 }), [
        { ...entry('a', 7, { keys: ['all', 'more'], expiresAt: 700 }), first: 4 },
      ])
    })

    it('removes an entry, but not one that a later commit has made', async () => {
      await index.put([entry('a', 5), entry('b', 5)])
      await index.remove([
        { id: 'a', position: 5 },
        { id: 'b', position: 4 },
        { id: 'c', position: 9 },
      ])
      assert.deepEqual(await ids(), ['b'])
      await index.remove([{ id: 'b', position: 6 }])
      assert.deepEqual(await ids(), [])
    })

    it('makes an entry once when many put it at the same time', async () => {
      await Promise.all(range(16).map((n) => index.put([entry('a', n), entry(`${n}`, 1, { keys: ['other'] })])))
      assert.deepEqual(await index.list({ key: 'all', limit: 10 }), [{ ...entry('a', 15), first: 0 }])
      assert.equal((await ids('other')).length, 16)
    })

    it('sweeps what has expired, and nothing else', async () => {
      await index.put([entry('old', 1, { expiresAt: 99 }), entry('young', 2, { expiresAt: 100 }), entry('ever', 3)])
      assert.equal(await index.sweep(100), 1)
      assert.deepEqual(await ids(), ['ever', 'young'])
      assert.equal(await index.sweep(100), 0)
    })

    it('takes nothing to put and nothing to remove', async () => {
      await index.put([])
      await index.remove([])
      assert.deepEqual(await ids(), [])
    })

    if (kept)
      it('is there when the log is opened again', async () => {
        await withLog(makeLog, async (open) => {
          const first = await open()
          await first.index('kept').put([entry('a', 1), entry('b', 2), entry('c', 3)])
          await first.index('kept').put([entry('a', 4)])
          await first.index('kept').remove([{ id: 'b', position: 2 }])
          await first.close()
          const second = await open()
          assert.deepEqual(await second.index('kept').list({ key: 'all', limit: 10 }), [
            { ...entry('c', 3), first: 3 },
            { ...entry('a', 4), first: 1 },
          ])
        })
      })
  })
}
