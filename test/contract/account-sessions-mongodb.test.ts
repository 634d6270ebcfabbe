import assert from 'node:assert/strict'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys } from '../../lib/index.ts'
import { AccountScene } from '../support/account-scene.ts'
import { DatabaseDump } from '../support/database-dump.ts'
import { privateDatabase } from '../support/mongo-database.ts'
import { accountSessionsContract } from './account-sessions.ts'

describe('devices and apps', () => {
  const mongo = privateDatabase()

  async function emptied(): Promise<MongoEventStore> {
    await mongo.db.dropDatabase()
    return MongoEventStore.open(mongo.db, { keys: ephemeralKeys() })
  }

  accountSessionsContract('MongoDB', emptied)

  it('leave nothing in a dump of the database of what was remembered of a login, nor of who ended what', async () => {
    const store = await emptied()
    const remembered = {
      ip: '198.51.100.234',
      userAgent: 'Browser/of-the-dump',
      label: 'Phone of the dump',
      place: 'Dumpington',
    }
    const at = await AccountScene.start({ store, account: { describe: () => remembered } })
    try {
      const login = 'alice.of.the.dump@example.com'
      const [phone, here] = [await at.loggedIn(login, 'shop'), await at.loggedIn(login, 'shop', 'mail')]
      assert.equal((await at.api(here, '/sessions')).body.sessions[0].place, 'Dumpington')
      await at.api(here, '/sessions/end', { id: await at.uidOf(phone) })
      await at.api(here, '/apps/revoke', { clientId: 'mail' })
      await at.api(here, '/sessions/end-others', {})
      await at.scene.quiet()
      const dump = await DatabaseDump.of(mongo.db)
      assert.ok(dump.holds('account:self'), 'what may be in the clear is found')
      for (const value of [...Object.values(remembered), login]) assert.equal(dump.holds(value), false, value)
    } finally {
      await at.stop()
    }
  })
})
