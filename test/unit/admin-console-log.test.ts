import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { LogPage } from '../../plugins/admin-console/api/contract.ts'
import { showLog } from '../../plugins/admin-console/api/log.ts'

describe("the log's tail", () => {
  it('reads at most a thousand commits at a time, whatever a cursor says', async () => {
    const store = new MemoryEventStore()
    for (let n = 0; n < 6_000; n++) await store.append({ events: [{ stream: 'x', type: 'happened', data: {} }] })
    const read: number[] = []
    const { readAll } = store
    store.readAll = async (options) => {
      const commits = await readAll.call(store, options)
      read.push(commits.length)
      return commits
    }
    // The first seven reads of 200, 400, 800 and so on find nothing above the end.
    for (const cursor of ['31400', '6400', '7000', '10000']) {
      read.length = 0
      const fields = { cursor, limit: '200' }
      const told = await showLog.handle({ store, fields } as unknown as Parameters<typeof showLog.handle>[0])
      assert.ok('body' in told)
      assert.ok(Math.max(...read) <= 1_000, `${cursor}: ${read}`)
      assert.ok((told.body as LogPage).items.length <= 200)
    }
    await store.close()
  })
})
