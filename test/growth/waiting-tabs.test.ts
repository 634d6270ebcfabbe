import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { inRequests } from '../contract/provider-adapter/adapter-under-test.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'
import { SteeredStore } from '../support/steered-store.ts'

describe('requests of one session that wait for each other in a process', () => {
  for (const count of [1, 100, 10_000]) {
    it(`cost a commit each, and no more reads: ${count} at once`, async () => {
      const store = new SteeredStore(new MemoryEventStore())
      const tabs = inRequests(store)
      const [id, uid] = [newId(), newId()]
      const session = sample('Session', id, { uid })
      await tabs.run((adapter) => adapter('Session').upsert(id, session, 60))
      let tried = 0
      store.beforeAppend = () => {
        tried += 1
      }
      const reads = store.reads.length
      await Promise.all(
        Array.from({ length: count }, (_, n) =>
          tabs.run(async (adapter) => {
            const found = await adapter('Session').find(id)
            await adapter('Session').upsert(id, { ...found, exp: 2_000_000_000 + n }, 60)
          }),
        ),
      )
      assert.equal(tried, count, 'no commit was tried in vain')
      assert.ok(store.reads.length - reads <= count, `${store.reads.length - reads} reads`)
      assert.equal((await tabs.run((adapter) => adapter('Session').find(id)))?.['exp'], 2_000_000_000 + count - 1)
      await store.close()
    })
  }
})
