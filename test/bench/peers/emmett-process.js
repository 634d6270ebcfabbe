// The same as ../append/process.ts, with another event store, whose driver is another one too.
import { randomBytes } from 'node:crypto'
import { getMongoDBEventStore } from '@event-driven-io/emmett-mongodb'
import { MongoClient } from 'mongodb'
import { keepInFlight } from '../contest.ts'

const [, uri, database] = process.argv.slice(2)
const client = await MongoClient.connect(`${uri}/${database}?w=majority&journal=true`)
const store = getMongoDBEventStore({ client })
const sealed = randomBytes(600).toString('base64url')

async function write() {
  const [id, grant] = [randomBytes(32).toString('base64url'), randomBytes(32).toString('base64url')]
  const data = { model: 'AccessToken', exp: 2_000_000_000, client_id: 'rp', grant, sealed }
  await store.appendToStream(`AccessToken:${id}`, [{ type: 'stored', data }])
  return 1
}

process.on('message', ({ inFlight, forMs }) => {
  void keepInFlight(inFlight, forMs, write).then((turn) => process.send(turn))
})
process.on('disconnect', () => process.exit())
process.send('ready')
