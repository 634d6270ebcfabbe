import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Db, Document, MongoClientOptions } from 'mongodb'
import { MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys } from '../../lib/secrets/key-ring.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { append, appendAll, commitOf } from '../support/appending.ts'
import { assertLogSound } from '../support/invariants.ts'
import { openDatabase, privateDatabase } from '../support/mongo-database.ts'
import type { PlannedFault } from '../support/planned-fault.ts'
import { openProxiedLog, type ProxiedLog } from '../support/proxied-log.ts'
import { loadSecondDriver } from '../support/second-driver.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const keys = ephemeralKeys()

describe('opening the log where something else is', () => {
  const mongo = privateDatabase()
  let prefix = ''
  beforeEach(() => {
    prefix = `log${randomBytes(4).toString('hex')}_`
  })

  const events = (): string => `${prefix}events`
  const index = async (key: Record<string, 1 | -1>, options: Document): Promise<void> => {
    await mongo.db.createCollection(events())
    await mongo.db.collection(events()).createIndex(key, options)
  }
  const foreign: readonly [what: string, make: (db: Db) => Promise<unknown>, said: RegExp][] = [
    ['a capped collection', (db) => db.createCollection(events(), { capped: true, size: 65_536 }), /is capped/],
    [
      'a time-series collection',
      (db) => db.createCollection(events(), { timeseries: { timeField: 'at' } }),
      /time-series/,
    ],
    ['a view', (db) => db.createCollection(events(), { viewOn: 'source', pipeline: [] }), /is a view/],
    [
      'a collation',
      (db) => db.createCollection(events(), { collation: { locale: 'en', strength: 2 } }),
      /collation "en"/,
    ],
    [
      'a validator',
      (db) => db.createCollection(events(), { validator: { $jsonSchema: { required: ['name'] } } }),
      /validator/,
    ],
    ['a TTL index', () => index({ at: 1 }, { expireAfterSeconds: 1 }), /TTL index "at_1"/],
    [
      'a unique index of somebody else',
      () => index({ 'e.t': 1 }, { unique: true, name: 'mine' }),
      /unique index "mine"/,
    ],
    ['an index of the same name on other fields', () => index({ z: 1 }, { name: 'streams' }), /index "streams" on/],
    ['an index of claims that is not unique', () => index({ k: 1 }, { name: 'claims' }), /index "claims"/],
    [
      'an index of claims that is sparse, under another name',
      () => index({ k: 1 }, { sparse: true, name: 'mine' }),
      /"mine"/,
    ],
    ['documents with ObjectIds', (db) => db.collection(events()).insertMany([{ a: 1 }, { a: 2 }]), /holds documents/],
    [
      'documents with whole numbers as ids',
      (db) => db.collection<{ _id: number }>(events()).insertOne({ _id: 5_000 }),
      /holds documents/,
    ],
    [
      'documents in another collection of the log',
      (db) => db.collection(`${prefix}deliveries`).insertOne({ to: 'Ann' }),
      /deliveries holds documents/,
    ],
    ...['parked', 'parked_lanes'].flatMap((name): (typeof foreign)[number][] => [
      [
        `a view in place of ${name}`,
        (db) => db.createCollection(`${prefix}${name}`, { viewOn: 'a', pipeline: [] }),
        /is a view/,
      ],
      [
        `a capped collection in place of ${name}`,
        (db) => db.createCollection(`${prefix}${name}`, { capped: true, size: 4_096 }),
        /is capped/,
      ],
    ]),
  ]
  for (const [what, make, said] of foreign) {
    it(`answers COLLECTION_UNFIT to ${what}, and changes nothing`, async () => {
      await make(mongo.db)
      const before = await everything(mongo.db, prefix)
      const error = await rejectsWith('COLLECTION_UNFIT', () => MongoEventStore.open(mongo.db, { keys, prefix }))
      assert.match(error.message, said)
      assert.match(error.message, /prefix/, 'it says what to do')
      assert.deepEqual(await everything(mongo.db, prefix), before)
    })
  }

  it('takes indexes that do no harm', async () => {
    await index({ 'm.actor': 1 }, {})
    await (await MongoEventStore.open(mongo.db, { keys, prefix })).close()
  })

  for (const [what, document] of [
    ['below the log', { _id: -1, name: 'Concert' }],
    ['above it', { _id: 'party', name: 'Summer party' }],
  ] as const) {
    it(`answers COLLECTION_UNFIT when somebody has written to the log since, ${what}`, async () => {
      const store = await MongoEventStore.open(mongo.db, { keys, prefix })
      await append(store, commitOf('ours'))
      await store.close()
      await mongo.db.collection<{ _id: number | string; name: string }>(events()).insertOne(document)
      const error = await rejectsWith('COLLECTION_UNFIT', () => MongoEventStore.open(mongo.db, { keys, prefix }))
      assert.match(error.message, new RegExp(`_id ${document._id}`))
    })
  }

  it('answers COLLECTION_UNFIT to who reads a document that somebody else has put into the log meanwhile', async () => {
    const store = await MongoEventStore.open(mongo.db, { keys, prefix })
    const { position, id } = await append(store, commitOf('ours'))
    await mongo.db.collection<{ _id: number }>(events()).insertOne({ _id: Number(position) + 1 })
    await rejectsWith('COLLECTION_UNFIT', () => store.readAll({ after: 0, limit: 9 }))
    const follower = new Follower(store, 0)
    await rejectsWith('COLLECTION_UNFIT', () => follower.ended)
    assert.notEqual(id, undefined)
    await store.close()
  })

  it('goes on above the last position when the counter was lost, without trying each one', async () => {
    const first = await MongoEventStore.open(mongo.db, { keys, prefix })
    const answered = await appendAll(
      first,
      range(50).map(() => commitOf('before')),
    )
    await first.close()
    await mongo.db.collection<{ _id: string }>(`${prefix}counters`).deleteOne({ _id: 'events' })
    const second = await MongoEventStore.open(mongo.db, { keys, prefix })
    answered.push(await append(second, commitOf('after')))
    assert.equal(answered.at(-1)?.position, await second.end())
    assert.ok(Number(answered.at(-1)?.position) <= 51 + 5)
    await second.close()
    await assertLogSound(mongo.db, { answered }, prefix)
  })
})

async function everything(db: Db, prefix: string): Promise<unknown> {
  const named = { name: { $regex: `^${prefix}` } }
  const collections = await db.listCollections(named).toArray()
  const names = collections.filter(({ type }) => type !== 'view').map(({ name }) => name)
  const indexes = names.map(async (name) => [name, await db.collection(name).indexes()])
  return { collections: collections.length, indexes: await Promise.all(indexes) }
}

describe('a database user without a right that the log needs', () => {
  let log: ProxiedLog
  beforeEach(async () => {
    log = await openProxiedLog()
  })
  afterEach(() => log.remove())

  for (const [right, command] of [
    ['listCollections', 'listCollections'],
    ['listIndexes', 'listIndexes'],
    ['find', 'find'],
    ['createIndex', 'createIndexes'],
    ['insert', 'insert'],
    ['update', 'update'],
    ['remove', 'delete'],
  ] as const) {
    for (const unauthorized of [
      { ok: 0, code: 13, codeName: 'Unauthorized', errmsg: 'scripted' },
      {
        ok: 0,
        code: 8000,
        codeName: 'AtlasError',
        errmsg: 'user is not allowed to do action [scripted] on [op.events]',
      },
    ]) {
      it(`is told "${right}" by name, as STORE_REFUSED, where the server answers ${unauthorized.code}`, async () => {
        const refused = log.proxy.answer({ command }, 'before', () => unauthorized)
        const prefix = right === 'createIndex' ? 'new_' : '' // where nothing is missing nobody needs it
        const open = () => MongoEventStore.open(log.proxiedDb, { keys: log.keys, prefix })
        const error = await rejectsWith('STORE_REFUSED', open)
        assert.equal(refused.count, 1)
        assert.ok(error.message.includes(`"${right}"`), error.message)
        assert.match(error.message, /readWrite/)
      })
    }
  }
})

describe('Atlas, where it refuses for other reasons than rights', () => {
  let log: ProxiedLog
  beforeEach(async () => {
    log = await openProxiedLog({ client: { retryWrites: false } })
  })
  afterEach(() => log.remove())

  const refuse = (command: readonly string[], errmsg: string): PlannedFault => {
    const answer = { ok: 0, code: 8000, codeName: 'AtlasError', errmsg }
    return log.proxy.answer({ command, times: Number.POSITIVE_INFINITY }, 'before', () => answer)
  }

  it('is told as a server whose disk is full where the quota of room is used up, and used again when there is room', async () => {
    const writes = ['insert', 'update', 'findAndModify', 'bulkWrite']
    const full = refuse(writes, 'you are over your space quota, using 513 MB of 512 MB')
    for (const call of [
      () => log.store.append(commitOf('a')),
      () => log.store.work('jobs').add([{ id: 'a', lane: 'l', dueAt: 0, body: {} }]),
      () => MongoEventStore.open(log.proxiedDb, { keys: log.keys }),
    ]) {
      const { message } = await rejectsWith('STORE_UNAVAILABLE', call)
      assert.match(message, /the disk of the MongoDB server is full \(you are over your space quota/)
    }
    full.cancel()
    await assertLogSound(log.db, { answered: [await append(log.store, commitOf('later'))] })
  })

  it('is told in its own words, and no right is named, where the cluster may have no further collection', async () => {
    refuse(['createIndexes'], 'already using 500 collections of 500')
    const open = () => MongoEventStore.open(log.proxiedDb, { keys: log.keys, prefix: 'new_' })
    const { message } = await rejectsWith('STORE_REFUSED', open)
    assert.match(message, /already using 500 collections of 500/)
    assert.doesNotMatch(message, /may not "createIndex"/)
  })
})

describe('a unique index that somebody makes while the log is open', () => {
  it('is named by the append that it refuses, soon, and the others go on', async () => {
    const database = await openDatabase('foreign')
    const store = await MongoEventStore.open(database.db, { keys })
    const partial = { 'm.actor': { $exists: true } }
    await database.db
      .collection('events')
      .createIndex({ 'm.actor': 1 }, { unique: true, partialFilterExpression: partial })
    const by = (actor: string) => ({ ...commitOf('by an actor'), meta: { actor } })
    const answered = [await append(store, by('ann'))]
    const [refused, other] = await Promise.allSettled([store.append(by('ann')), append(store, commitOf('other'))])
    assert.equal(refused?.status === 'rejected' && refused.reason.code, 'STORE_REFUSED')
    assert.match(refused?.status === 'rejected' ? refused.reason.message : '', /"m.actor_1"/)
    assert.ok(other?.status === 'fulfilled')
    answered.push(other.value)
    assert.ok((await database.db.collection('events').countDocuments()) < 20, 'it was not tried again and again')
    await assertLogSound(database.db, { answered })
    await store.close()
    await database.drop()
  })

  it('is named where it refuses tombstones too', async () => {
    const database = await openDatabase('foreign')
    const store = await MongoEventStore.open(database.db, { keys })
    await database.db.collection('events').createIndex({ other: 1 }, { unique: true })
    assert.equal((await append(store, commitOf('the first without'))).code, undefined)
    const error = await rejectsWith('STORE_REFUSED', () => store.append(commitOf('the second without')))
    assert.match(error.message, /"other_1"/)
    await store.close()
    await database.drop()
  })
})

describe('a client of the application', () => {
  const mongo = privateDatabase()
  const folder = temporaryFolder()

  async function assertWorks(db: Db): Promise<void> {
    const store = await MongoEventStore.open(db, { keys })
    const follower = new Follower(store, 0)
    const once = { claims: [{ kind: 'once', mark: 'code' }] } as const
    const answered = await appendAll(store, [commitOf('a'), commitOf('b'), commitOf('one', once)], 'one by one')
    answered.push(await append(store, commitOf('two', once)))
    answered.push(...(await appendAll(store, [commitOf('v', { stream: 's', version: 1 }), commitOf('c')])))
    answered.push(await append(store, commitOf('v', { stream: 's', version: 2 })))
    assert.deepEqual(
      answered.map(({ code }) => code),
      [undefined, undefined, undefined, 'ALREADY_CLAIMED', undefined, undefined, undefined],
    )
    await follower.saw(answered.flatMap(({ id }) => id ?? []))
    await follower.stop()
    const seen = await store.consumers.ensure('planner', 3)
    assert.equal((await store.consumers.take(seen, 'me'))?.position, 3)
    const deliveries = store.work('deliveries')
    await deliveries.add([{ id: 'row', lane: 'lane', dueAt: 1, body: {} }])
    await deliveries.add([{ id: 'row', lane: 'lane', dueAt: 1, body: {} }])
    const claimed = await deliveries.claim({ holder: 'me', now: 2, limit: 1, perLane: 1 })
    assert.deepEqual(
      claimed.map(({ id }) => id),
      ['row'],
    )
    assert.deepEqual(await deliveries.holders(), ['me'])
    assert.equal(await deliveries.free('me'), 1)
    await store.close()
    await assertLogSound(mongo.client.db(db.databaseName), { answered, subscribers: [{ after: 0, ids: follower.ids }] })
    await mongo.client.db(db.databaseName).dropDatabase()
  }

  const clients: readonly [what: string, options: MongoClientOptions][] = [
    [
      'that keeps to the Stable API, as Atlas prints it',
      { serverApi: { version: '1', strict: true, deprecationErrors: true } },
    ],
    ['with a single connection', { maxPoolSize: 1 }],
    ['with two connections', { maxPoolSize: 2 }],
    ['whose sockets time out soon', { socketTimeoutMS: 300 }],
    ['that never retries', { retryReads: false, retryWrites: false }],
    ['that reads from secondaries, raw', { readPreference: 'secondaryPreferred', raw: true, useBigInt64: true }],
  ]
  for (const [what, options] of clients) {
    it(`can be one ${what}`, async () => {
      const client = await MongoClient.connect(mongo.uri, options)
      await assertWorks(client.db(`${mongo.name}_c`))
      await client.close()
    })
  }

  it('can be of another copy of the driver, with another version of BSON', async () => {
    const second = await loadSecondDriver(folder.path)
    assert.notEqual(second.MongoClient, MongoClient)
    const client = await second.MongoClient.connect(mongo.uri)
    await assertWorks(client.db(`${mongo.name}_d`))
    await client.close()
  })
})
