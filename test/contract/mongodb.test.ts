import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys } from '../../lib/index.ts'
import { openDatabase } from '../support/mongo-database.ts'
import { eventStoreContract } from './event-store.ts'

eventStoreContract(
  'MongoDB',
  async () => {
    const database = await openDatabase('contract')
    const keys = ephemeralKeys()
    return {
      open: () => MongoEventStore.open(database.db, { keys }),
      remove: () => database.drop(),
      async loseCommitsAfter(position) {
        await database.db.collection<{ _id: number }>('events').deleteMany({ _id: { $gt: position } })
        await database.db
          .collection<{ _id: string }>('counters')
          .updateOne({ _id: 'events' }, { $set: { n: position } })
      },
    }
  },
  { kept: true, shared: true, dense: false, losesCommits: true, propertyRuns: 25 },
)
