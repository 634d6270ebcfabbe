import assert from 'node:assert/strict'
import { FileEventStore } from '../../adapters/file/index.ts'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { AlreadyClaimedError, type EventStore } from '../../lib/index.ts'
import { commitTo, fresh } from '../contract/event-store/log-under-test.ts'
import { KeptTelemetry } from '../support/kept-telemetry.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

describe('the size of batches of appends', () => {
  const folder = temporaryFolder()
  const stores: Record<string, () => Promise<EventStore>> = {
    memory: async () => new MemoryEventStore(),
    file: () => FileEventStore.open(folder.path),
  }
  for (const [name, open] of Object.entries(stores)) {
    describe(`on ${name}`, () => {
      const telemetry = new KeptTelemetry()
      const sizes = (): number[] =>
        telemetry
          .of('batch_size')
          .splice(0)
          .map(({ value }) => value)
      let store: EventStore
      before(async () => {
        store = await open()
        store.measure?.(telemetry)
      })
      beforeEach(() => telemetry.measurements.splice(0))
      after(() => store.close())

      it('is one for an append that is alone', async () => {
        await store.append(commitTo(fresh()))
        assert.deepEqual(sizes(), [1])
      })

      it('is how many went together, of those that came at once', async () => {
        await Promise.all(Array.from({ length: 40 }, () => store.append(commitTo(fresh()))))
        assert.deepEqual(sizes(), [40])
      })

      it('counts no changes of tables, and no write that there was not', async () => {
        await store.consumers.ensure(fresh('consumer'), 0)
        assert.deepEqual(sizes(), [])
        const claims = [{ kind: 'once', mark: fresh('mark') }] as const
        await store.append({ ...commitTo(fresh()), claims })
        await assert.rejects(store.append({ ...commitTo(fresh()), claims }), AlreadyClaimedError)
        assert.deepEqual(sizes(), [1])
      })
    })
  }
})
