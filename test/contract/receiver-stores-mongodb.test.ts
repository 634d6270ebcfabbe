import assert from 'node:assert/strict'
import { type Collection, MongoClient } from 'mongodb'
import {
  MongoLoggedOutStore,
  type MongoLoggedOutStoreOptions,
  MongoReplayStore,
  type MongoReplayStoreOptions,
} from '../../plugins/back-channel-logout-receiver/mongodb/index.ts'
import { privateDatabase } from '../support/mongo-database.ts'
import { loggedOutStoreContract } from './logged-out-store.ts'
import { logoutTokenReplayStoreContract } from './logout-token-replay-store.ts'

const NOW = 4_000_000_000

describe('the MongoDB stores of the receiver', () => {
  const mongo = privateDatabase()
  let collections = 0

  const fresh = (): string => `c${++collections}`

  logoutTokenReplayStoreContract('MongoReplayStore', (options) =>
    MongoReplayStore.open(mongo.db, { ...options, collectionName: fresh() }),
  )

  loggedOutStoreContract('MongoLoggedOutStore', () => MongoLoggedOutStore.open(mongo.db, { collectionName: fresh() }))

  describe('of several processes of one RP', () => {
    let clients: MongoClient[]

    beforeEach(async () => {
      clients = await Promise.all([1, 2, 3, 4].map(() => MongoClient.connect(mongo.uri)))
    })
    afterEach(() => Promise.all(clients.map((client) => client.close())))

    it('are opened by all of them at once, on a database that has nothing yet', async () => {
      const collectionName = fresh()
      const stores = await Promise.all(
        clients.map((client) => MongoReplayStore.open(client.db(mongo.name), { collectionName })),
      )
      const entry = { issuer: 'https://op.example', jti: 'a', now: NOW, expiresAt: NOW + 120 }
      const outcomes = await Promise.all(
        [...stores, ...stores, ...stores, ...stores].map(async (store) => (await store.reserve(entry)).outcome),
      )
      assert.equal(outcomes.filter((outcome) => outcome === 'reserved').length, 1)
      assert.equal(outcomes.filter((outcome) => outcome === 'in_progress').length, 15)
    })

    it('tell one process what the other one was told', async () => {
      const collectionName = fresh()
      const [one, two] = await Promise.all(
        clients.map((client) => MongoLoggedOutStore.open(client.db(mongo.name), { collectionName })),
      )
      await one?.remember([{ key: 'a', loggedOutAt: NOW, expiresAt: NOW + 10, now: NOW }])
      assert.deepEqual(await two?.recall(['a']), [NOW])
    })

    it('take a token over from a process that died with it, after the lease', async () => {
      const collectionName = fresh()
      const [dead, heir] = await Promise.all(
        clients.map((client) => MongoReplayStore.open(client.db(mongo.name), { collectionName, leaseSeconds: 60 })),
      )
      const entry = { issuer: 'https://op.example', jti: 'a', now: NOW, expiresAt: NOW + 330 }
      await dead?.reserve(entry)
      await clients[0]?.close()
      assert.equal((await heir?.reserve({ ...entry, now: NOW + 59 }))?.outcome, 'in_progress')
      const taken = await heir?.reserve({ ...entry, now: NOW + 60 })
      assert(taken?.outcome === 'reserved')
      await taken.commit()
      assert.equal((await heir?.reserve({ ...entry, now: NOW + 200 }))?.outcome, 'used')
    })
  })

  describe('in their collections', () => {
    let replays: Collection
    let logouts: Collection
    let replayStore: MongoReplayStore

    beforeEach(async () => {
      const [replayName, logoutName] = [fresh(), fresh()]
      replayStore = await MongoReplayStore.open(mongo.db, { collectionName: replayName })
      const loggedOut = await MongoLoggedOutStore.open(mongo.db, { collectionName: logoutName })
      await loggedOut.remember([{ key: 'digest', loggedOutAt: NOW, expiresAt: NOW + 500, now: NOW }])
      replays = mongo.db.collection(replayName)
      logouts = mongo.db.collection(logoutName)
    })

    it('keep nothing of the token but a digest of issuer and jti', async () => {
      await replayStore.reserve({ issuer: 'https://op.example', jti: 'the jti', now: NOW, expiresAt: NOW + 120 })
      const [document] = await replays.find().toArray()
      assert.deepEqual(Object.keys(document ?? {}).sort(), ['_id', 'holder', 'removeAt', 'state', 'until'])
      assert.match(String(document?._id), /^[\w-]{43}$/)
      assert.doesNotMatch(JSON.stringify(document), /op\.example|the jti/)
    })

    it('leave it to MongoDB to remove what has been meaningless for an hour', async () => {
      await replayStore.reserve({ issuer: 'https://op.example', jti: 'a', now: NOW, expiresAt: NOW + 120 })
      for (const [collection, expiresAt] of [
        [replays, NOW + 120],
        [logouts, NOW + 500],
      ] as const) {
        const index = (await collection.indexes()).find(({ expireAfterSeconds }) => expireAfterSeconds !== undefined)
        assert.deepEqual([index?.key, index?.expireAfterSeconds], [{ removeAt: 1 }, 0])
        const removeAt = (await collection.findOne({}))?.removeAt as Date
        assert.equal(removeAt.getTime(), (expiresAt + 3600) * 1000)
      }
    })

    it('need no removal: a token that has expired by the clock of the verifier counts no more', async () => {
      const entry = { issuer: 'https://op.example', jti: 'a', now: NOW, expiresAt: NOW + 120 }
      const first = await replayStore.reserve(entry)
      assert(first.outcome === 'reserved')
      await first.commit()
      assert.equal((await replayStore.reserve({ ...entry, now: NOW + 119.9 })).outcome, 'used')
      assert.equal((await replayStore.reserve({ ...entry, now: NOW + 120, expiresAt: NOW + 500 })).outcome, 'reserved')
      assert.equal(await replays.countDocuments(), 1)
    })

    it('remember a token that stays good beyond the end of all calendars', async () => {
      const entry = { issuer: 'https://op.example', jti: 'b', now: NOW, expiresAt: 1e300 }
      const reservation = await replayStore.reserve(entry)
      assert(reservation.outcome === 'reserved')
      await reservation.commit()
      assert.equal((await replayStore.reserve({ ...entry, now: NOW + 1e9 })).outcome, 'used')
      const removeAt = (await replays.findOne({}))?.['removeAt'] as Date
      assert.ok(removeAt.getTime() > (NOW + 1e9) * 1000, `removed ${removeAt.getTime()}`)
    })
  })

  it('refuse unknown and wrong options before they talk to the database', async () => {
    const client = new MongoClient('mongodb://127.0.0.1:9')
    const refused = async (open: Promise<unknown>, option: string): Promise<void> =>
      assert.rejects(open, { code: 'OPTION_INVALID', option })
    const db = client.db('none')
    await refused(MongoReplayStore.open(db, { lease: 1 } as MongoReplayStoreOptions), 'lease')
    await refused(MongoReplayStore.open(db, { leaseSeconds: -1 }), 'leaseSeconds')
    await refused(MongoReplayStore.open(db, { timeoutMs: 0 }), 'timeoutMs')
    await refused(MongoReplayStore.open(db, { collectionName: '' }), 'collectionName')
    await refused(MongoReplayStore.open(undefined as unknown as typeof db), 'db')
    await refused(MongoLoggedOutStore.open(db, { leaseSeconds: 1 } as MongoLoggedOutStoreOptions), 'leaseSeconds')
    await refused(MongoLoggedOutStore.open(db, { timeoutMs: Number.NaN }), 'timeoutMs')
    await client.close()
  })
})
