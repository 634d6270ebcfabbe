import assert from 'node:assert/strict'
import { MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys, silent } from '../../lib/index.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { type MongoServer, startServer } from '../support/mongo-server.ts'

/** The actions of docs/guides/least-privilege.md. */
const ACTIONS = [
  'listCollections',
  'find',
  'insert',
  'update',
  'remove',
  'createCollection',
  'createIndex',
  'listIndexes',
  'dropCollection',
  'changeStream',
]

describe('a user of MongoDB with the rights of the guide', function () {
  this.timeout(60_000)
  const keys = ephemeralKeys()
  let server: MongoServer
  let admin: MongoClient

  before(async () => {
    server = await startServer({ port: 0, flags: ['--auth'] })
    const first = new MongoClient(server.uri)
    await first.db('admin').command({ createUser: 'root', pwd: 'root', roles: ['root'] })
    await first.close()
    admin = new MongoClient(withUser('root', 'root', 'admin'))
  })
  after(async () => {
    await admin.close()
    await server.stop()
  })

  function withUser(user: string, password: string, source: string): string {
    const uri = new URL(server.uri)
    uri.username = user
    uri.password = password
    uri.searchParams.set('authSource', source)
    return uri.href
  }

  async function userWith(name: string, actions: readonly string[]): Promise<MongoClient> {
    const db = admin.db(name)
    await db.command({
      createRole: 'eventstore',
      privileges: [{ resource: { db: name, collection: '' }, actions: [...actions] }],
      roles: [],
    })
    await db.command({ createUser: 'op', pwd: 'secret', roles: ['eventstore'] })
    return new MongoClient(withUser('op', 'secret', name))
  }

  it('opens the log, appends, reads, follows, works and removes', async () => {
    const client = await userWith('whole', ACTIONS)
    const store = await MongoEventStore.open(client.db('whole'), { keys, logger: silent })
    const { position } = await store.append({ events: [{ stream: 'Thing:a', type: 'stored', data: {} }] })
    await store.append({ events: [{ stream: 'Thing:b', type: 'stored', data: {} }] })
    assert.equal((await store.latest('Thing:a'))?.position, position)
    for await (const commits of store.subscribe({ after: 0 })) if (commits.length > 0) break
    await store.work('deliveries').add([{ id: 'a', lane: 'l', dueAt: 0, body: {} }])
    assert.equal((await store.work('deliveries').claim({ holder: 'h', now: 1, limit: 1, perLane: 1 })).length, 1)
    await store.liveness.beat(['h'])
    await store.retention.remove({ positions: [position] })
    assert.equal(await store.latest('Thing:a'), undefined)
    await store.close()
    await client.close()
  })

  for (const missing of ['find', 'insert', 'update', 'remove', 'createIndex', 'dropCollection']) {
    it(`without "${missing}" is refused by open(), which names what is missing`, async () => {
      const name = `without_${missing}`
      const client = await userWith(
        name,
        ACTIONS.filter((action) => action !== missing),
      )
      const error = await rejectsWith('STORE_REFUSED', () =>
        MongoEventStore.open(client.db(name), { keys, logger: silent }),
      )
      assert.match(error.message, new RegExp(`may not "${missing}"`))
      await client.close()
    })
  }

  it('with another password is refused, and no password is printed', async () => {
    const client = new MongoClient(withUser('op', 'a wrong one', 'whole'))
    const error = await rejectsWith('STORE_REFUSED', () =>
      MongoEventStore.open(client.db('whole'), { keys, logger: silent }),
    )
    assert.doesNotMatch(error.message, /a wrong one/)
    await client.close()
  })
})
