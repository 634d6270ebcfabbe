import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type Document, type MongoClient, ObjectId } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { systemClock } from '../../lib/clock.ts'
import { StreamReader } from '../../lib/provider/stream-reader.ts'
import { commitOf } from '../support/appending.ts'
import { openProxiedLog, type ProxiedLog } from '../support/proxied-log.ts'

const STREAM = 'Thing:a'

/** Whether a query asks only for what was appended since the last one. */
const isOfNews = ({ _id, s, $or }: Document): boolean => s === undefined && (_id ?? $or) !== undefined

/**
 * What is held of the log belongs to one primary. The server here is the tests' own; that another one has been elsewhere
 * meanwhile is what the proxy makes it say, to the real driver.
 */
describe('what a process holds of a log on MongoDB', () => {
  let log: ProxiedLog
  let other: MongoEventStore
  let reader: StreamReader
  let client: MongoClient
  /** The filter of each query. */
  const finds: Document[] = []

  beforeEach(async () => {
    log = await openProxiedLog({ client: { monitorCommands: true, serverMonitoringMode: 'poll' } })
    client = log.proxiedDb.client
    finds.length = 0
    client.on('commandStarted', ({ commandName, command }) => {
      if (commandName === 'find' && command['find'] === 'events') finds.push(command['filter'])
    })
    other = await MongoEventStore.open(log.db, { keys: log.keys })
    reader = new StreamReader(log.store, systemClock)
    // It begins to follow behind the first look-up's back.
    while (!finds.some(isOfNews)) await look()
  })

  afterEach(async () => {
    await other.close()
    await log.remove()
  })

  const look = async (): Promise<(string | undefined)[]> => {
    const { commits } = await reader.newest({ names: [STREAM], wanted: 16, room: 16 })
    return commits.map(({ events: [event] }) => String(event?.data['tag']))
  }

  it('is what was undone by a fail-over no longer, once the driver has another primary', async () => {
    const undone = commitOf('undone', { stream: STREAM })
    await other.append(undone)
    assert.equal((await look()).length, 1)
    await log.db.collection('events').deleteMany({ s: STREAM })
    assert.equal((await look()).length, 1, 'it is held: nobody deletes commits')
    const changed = once(client, 'topologyDescriptionChanged')
    const electionId = new ObjectId()
    const hello = { command: 'hello', times: Number.POSITIVE_INFINITY }
    log.proxy.answer(hello, 'after', (_, reply) => ({ ...reply, electionId, setVersion: 7 }))
    await changed
    assert.deepEqual(await look(), [])
  })

  it('is read again when a connection was lost, before the driver knows what that means', async () => {
    await other.append(commitOf('a', { stream: STREAM }))
    await look()
    finds.length = 0
    await look()
    assert.ok(finds.every(isOfNews), 'it is held')
    log.proxy.cutAll()
    assert.equal((await look()).length, 1)
    assert.ok(!finds.every(isOfNews), 'it was read')
  })
})
