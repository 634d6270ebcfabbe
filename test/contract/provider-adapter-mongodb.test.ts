import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { openDatabase } from '../support/mongo-database.ts'
import { providerAdapterContract } from './provider-adapter.ts'

providerAdapterContract(
  'MongoDB',
  async () => {
    const database = await openDatabase('adapter')
    return { open: (keys) => MongoEventStore.open(database.db, { keys }), remove: () => database.drop() }
  },
  { kept: true, propertyRuns: 20, thiefTries: Number(process.env['THIEF_TRIES'] ?? 300) },
)
