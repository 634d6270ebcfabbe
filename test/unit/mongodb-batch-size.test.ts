import assert from 'node:assert/strict'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys } from '../../lib/index.ts'
import { commitTo, fresh } from '../contract/event-store/log-under-test.ts'
import { KeptTelemetry } from '../support/kept-telemetry.ts'
import { openDatabase } from '../support/mongo-database.ts'

describe('the size of batches of appends on MongoDB', () => {
  it('is how many appends each command has settled: one alone, and fewer commands than appends at once', async () => {
    const database = await openDatabase('batches')
    const store = await MongoEventStore.open(database.db, { keys: ephemeralKeys() })
    try {
      const telemetry = new KeptTelemetry()
      store.measure(telemetry)
      const sizes = (): number[] => telemetry.of('batch_size').map(({ value }) => value)
      await store.append(commitTo(fresh()))
      assert.deepEqual(sizes(), [1])
      await Promise.all(Array.from({ length: 200 }, () => store.append(commitTo(fresh()))))
      const rest = sizes().slice(1)
      assert.equal(
        rest.reduce((sum, size) => sum + size, 0),
        200,
      )
      assert.ok(rest.length < 50, rest.join())
    } finally {
      await store.close()
      await database.drop()
    }
  })
})
