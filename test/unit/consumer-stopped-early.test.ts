import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { Consumer, silent, systemClock } from '../../lib/index.ts'

describe('a consumer that is stopped while it takes its lease', () => {
  it('stops, and leaves the lease to others', async () => {
    const store = new MemoryEventStore()
    const consumer = new Consumer({ store, name: 'early', clock: systemClock, logger: silent, handle: async () => {} })
    await consumer.start(0)
    await consumer.stop()
    assert.equal((await store.consumers.get('early'))?.holder, undefined)
    await store.close()
  })
})
