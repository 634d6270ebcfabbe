// Follows the log named in its arguments from its beginning, and tells each commit that is delivered.
import { MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { IMPATIENT } from '../support/proxied-log.ts'

/** What it tells. */
export interface Delivered {
  readonly id: string
  readonly position: number
}

const [uri = '', database = '', keys = ''] = process.argv.slice(2)
const client = new MongoClient(uri, IMPATIENT)
const store = await MongoEventStore.open(client.db(database), { keys: JSON.parse(keys) })
for await (const batch of store.subscribe({ after: 0 })) {
  for (const { id, position } of batch) process.stdout.write(`${JSON.stringify({ id, position })}\n`)
}
