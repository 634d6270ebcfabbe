// The same as ../append/process.ts, with another event store, whose driver is another one too.
import { randomBytes } from 'node:crypto'
import { getMongoDBEventStore } from '@event-driven-io/emmett-mongodb'
import { MongoClient } from 'mongodb'

const [, uri, database] = process.argv.slice(2)
const client = await MongoClient.connect(`${uri}/${database}?w=majority&journal=true`)
const store = getMongoDBEventStore({ client })
const sealed = randomBytes(600).toString('base64url')

async function write() {
  const [id, grant] = [randomBytes(32).toString('base64url'), randomBytes(32).toString('base64url')]
  const data = { model: 'AccessToken', exp: 2_000_000_000, client_id: 'rp', grant, sealed }
  await store.appendToStream(`AccessToken:${id}`, [{ type: 'stored', data }])
}

async function keepInFlight({ inFlight, forMs }) {
  const eachMs = []
  let done = 0
  const cpu = process.cpuUsage()
  const started = performance.now()
  const walk = async () => {
    for (let began = performance.now(); began < started + forMs; began = performance.now()) {
      await write()
      done++
      if (eachMs.length < 200_000) eachMs.push(performance.now() - began)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, walk))
  const { user, system } = process.cpuUsage(cpu)
  return { done, tookMs: performance.now() - started, cpuMs: (user + system) / 1_000, eachMs }
}

process.on('message', (order) => keepInFlight(order).then((turn) => process.send(turn)))
process.on('disconnect', () => process.exit())
process.send('ready')
