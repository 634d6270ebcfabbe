import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys } from '../../lib/index.ts'
import { openDatabase } from '../support/mongo-database.ts'
import { consumerContract } from './consumer.ts'

consumerContract('MongoDB', async () => {
  const database = await openDatabase('consumers')
  const keys = ephemeralKeys()
  return {
    open: () => MongoEventStore.open(database.db, { keys }),
    remove: () => database.drop(),
  }
})
