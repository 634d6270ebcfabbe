import assert from 'node:assert/strict'
import type { Document } from 'mongodb'
import type { Collections } from '../../adapters/mongodb/collections.ts'
import { Table } from '../../adapters/mongodb/table.ts'

describe('a query of a table', () => {
  it('wants all that its limit lets it have in the first answer: a later one has no time limit', async () => {
    const asked: Document[] = []
    const collection = {
      find: (_filter: Document, { signal: _, ...options }: Document) => {
        asked.push(options)
        return { toArray: async () => [] }
      },
    }
    const collections = {
      withTimeout: (call: (signal: AbortSignal) => unknown) => call(new AbortController().signal),
      collection: () => collection,
    } as unknown as Collections
    await new Table<Document>(collections, 'rows').find({}).sort({ dueAt: 1 }).limit(1_000).toArray()
    assert.deepEqual(asked, [{ sort: { dueAt: 1 }, limit: 1_000, batchSize: 1_001 }])
  })
})
