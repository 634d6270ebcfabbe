import assert from 'node:assert/strict'
import { type Db, MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys } from '../../lib/index.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { portOutsideEphemeralRange } from '../support/free-port.ts'

describe('opening the log on MongoDB', () => {
  it('names the address of a server that does not answer', async () => {
    const port = await portOutsideEphemeralRange()
    const client = new MongoClient(`mongodb://127.0.0.1:${port}`)
    const clock = new FakeClock()
    const opening = rejectsWith('STORE_UNAVAILABLE', () =>
      MongoEventStore.open(client.db('op'), { keys: ephemeralKeys(), clock }),
    )
    await clock.scheduled()
    await clock.advance(9_000)
    const { message } = await opening
    assert.match(message, new RegExp(`127\\.0\\.0\\.1:${port} does not answer`))
    await client.close()
  })

  it('says what it takes where it gets a connection of Mongoose, or nothing', async () => {
    const connection = { collection: () => ({}), db: {} }
    for (const db of [connection, undefined, {}]) {
      const opening = (): Promise<unknown> => MongoEventStore.open(db as unknown as Db, { keys: ephemeralKeys() })
      const { message } = await rejectsWith('OPTION_INVALID', opening)
      assert.match(message, /client\.db\('op'\); of a Mongoose connection, its `db`/)
    }
  })
})
