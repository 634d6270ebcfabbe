// Opens the log named in its arguments, appends once, and tells what became of it.
import { MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { append, commitOf } from '../support/appending.ts'

const [uri = '', database = '', prefix = '', keys = ''] = process.argv.slice(2)
const client = new MongoClient(uri)
const store = await MongoEventStore.open(client.db(database), { keys: JSON.parse(keys), prefix })
process.stdout.write(`${JSON.stringify(await append(store, commitOf('opened')))}\n`)
await store.close()
await client.close()
