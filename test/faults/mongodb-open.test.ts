import assert from 'node:assert/strict'
import { type Db, type Document, Long, MongoClient } from 'mongodb'
import { Collections } from '../../adapters/mongodb/collections.ts'
import type { CommitMacs } from '../../adapters/mongodb/commit-macs.ts'
import { MongoEventStore, type MongoOptions } from '../../adapters/mongodb/index.ts'
import { loadMacKeys } from '../../adapters/mongodb/mac-keys.ts'
import { systemClock } from '../../lib/clock.ts'
import { ephemeralKeys, generateSecret, KeyRing, type Keys } from '../../lib/secrets/key-ring.ts'
import { present, rejectsWith } from '../contract/event-store/expect.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { wholeLog } from '../contract/event-store/invariants.ts'
import { commitTo, range } from '../contract/event-store/log-under-test.ts'
import { sealingKeysContract } from '../contract/sealing-keys.ts'
import { append, appendAll, commitOf } from '../support/appending.ts'
import { bundledProgram } from '../support/bundled-program.ts'
import { assertLogSound } from '../support/invariants.ts'
import { openDatabase, privateDatabase } from '../support/mongo-database.ts'
import { openProxiedLog, type ProxiedLog } from '../support/proxied-log.ts'
import { StoreProcess } from '../support/store-process.ts'

const MONGODB_OPENER = await bundledProgram(new URL('mongodb-opener.ts', import.meta.url))

/** As a process of the deployment has them. */
async function macsOf(db: Db, prefix: string, keys: Keys): Promise<CommitMacs> {
  const collections = new Collections(db, prefix, systemClock)
  return loadMacKeys(collections, new KeyRing(keys), (call) => collections.attempt(call))
}

describe('opening the log on MongoDB', () => {
  const mongo = privateDatabase()
  const keys = ephemeralKeys()
  let prefix = ''
  beforeEach(() => {
    prefix = `log${Math.random().toString(36).slice(2)}_`
  })

  const open = (more: Partial<MongoOptions> = {}): Promise<MongoEventStore> =>
    MongoEventStore.open(mongo.db, { keys, prefix, ...more })

  it('can be done by many at once, in this process and in others', async () => {
    const others = range(4).map(
      () => new StoreProcess(MONGODB_OPENER, [mongo.uri, mongo.name, prefix, JSON.stringify(keys)]),
    )
    const stores = await Promise.all(range(12).map(() => open()))
    const answered = (await Promise.all(stores.map((store) => append(store, commitOf('opened'))))).concat(
      await Promise.all(others.map(async (other) => present(await other.next<Awaited<ReturnType<typeof append>>>()))),
    )
    await Promise.all([...stores.map((store) => store.close()), ...others.map((other) => other.kill())])
    assert.deepEqual(
      answered.map(({ code }) => code),
      range(16).map(() => undefined),
    )
    await assertLogSound(mongo.db, { answered }, prefix)
    assert.equal(await mongo.db.collection(`${prefix}scratch`).countDocuments(), 0, 'the proofs are removed')
  })

  const bad: readonly [what: string, code: Parameters<typeof rejectsWith>[0], options: unknown][] = [
    ['no options', 'KEYS_INVALID', undefined],
    ['no keys', 'KEYS_INVALID', {}],
    ['no hashing key', 'KEYS_INVALID', { keys: { sealing: keys.sealing, hashing: [] } }],
    ['a short key', 'KEYS_INVALID', { keys: { ...keys, hashing: [{ id: 'a', secret: 'dG9vIHNob3J0' }] } }],
    ['two keys of one name', 'KEYS_INVALID', { keys: { ...keys, sealing: [...keys.sealing, ...keys.sealing] } }],
    ['an option that is not known', 'OPTION_INVALID', { keys, prefx: 'a' }],
    ['a prefix that cannot be one', 'OPTION_INVALID', { keys, prefix: 'a.$b' }],
  ]
  for (const [what, code, options] of bad) {
    it(`answers ${code} to ${what}, before anything is asked of the database`, async () => {
      const unreachable = new MongoClient('mongodb://127.0.0.1:1/').db('op')
      const error = await rejectsWith(code, () => MongoEventStore.open(unreachable, options as MongoOptions))
      assert.notEqual(error.message, '')
      await unreachable.client.close()
    })
  }

  it('answers OPTION_INVALID to what is no database', async () => {
    await rejectsWith('OPTION_INVALID', () => MongoEventStore.open(mongo.client as never, { keys }))
  })

  it('answers SCHEMA_NEWER when a newer version has opened it, and changes nothing', async () => {
    await (await open()).close()
    const schema = mongo.db.collection<{ _id: string }>(`${prefix}counters`)
    await schema.updateOne({ _id: 'schema' }, { $set: { version: 2 } })
    await rejectsWith('SCHEMA_NEWER', () => open())
    assert.equal((await schema.findOne<{ version: number }>({ _id: 'schema' }))?.version, 2)
  })

  it('answers KEY_UNKNOWN to hashing keys that the log was not written with, until one of them is added', async () => {
    await (await open()).close()
    const hashing = [{ id: 'new', secret: generateSecret() }]
    await rejectsWith('KEY_UNKNOWN', () => open({ keys: { ...keys, hashing } }))
    await (await open({ keys: { ...keys, hashing: [...keys.hashing, ...hashing] } })).close()
    await (await open({ keys: { ...keys, hashing } })).close()
  })

  sealingKeysContract(async (sealing, retired) =>
    (await open({ keys: { sealing, hashing: keys.hashing, ...(retired && { retired }) } })).close(),
  )

  it('delivers what comes before a commit of a newer schema, and answers SCHEMA_NEWER to that one', async () => {
    const store = await open()
    const before = await append(store, commitOf('before'))
    const events = mongo.db.collection<Document>(`${prefix}events`)
    const newer = {
      c: 'newer',
      s: ['Thing:newer'],
      e: [{ s: 'Thing:newer', t: 't', d: {} }],
      m: { v: 2 },
      at: new Date(),
    }
    const position = Number(before.position) + 1
    const h = (await macsOf(mongo.db, prefix, keys)).sign({ _id: position, ...newer })
    await events.insertOne({ _id: Long.fromNumber(position), ...newer, h } as Document)
    const follower = new Follower(store, 0)
    await rejectsWith('SCHEMA_NEWER', () => follower.ended)
    assert.deepEqual(follower.ids, [before.id])
    await rejectsWith('SCHEMA_NEWER', () => store.latest('Thing:newer'))
    const after = await append(store, commitOf('after'))
    assert.equal(after.code, undefined, 'others may still write')
    await store.close()
  })

  it('uses settings of its own, whatever the client is set to', async () => {
    const strange = new MongoClient(mongo.uri, {
      ...{ readPreference: 'secondaryPreferred', readConcern: { level: 'available' }, writeConcern: { w: 0 } },
      ...{ promoteValues: false, promoteLongs: false, ignoreUndefined: true, bsonRegExp: true },
    })
    const store = await MongoEventStore.open(strange.db(mongo.name), { keys, prefix })
    const once = { claims: [{ kind: 'once', mark: 'code' }] } as const
    const batch = ['a', 'b'].map((name) => commitOf(name))
    const answered = await appendAll(
      store,
      [...batch, commitOf('one', once), commitOf('v1', { stream: 's', version: 1 })],
      'one by one',
    )
    answered.push(
      await append(store, commitOf('two', once)),
      await append(store, commitOf('v2', { stream: 's', version: 2 })),
    )
    assert.deepEqual(
      answered.map(({ code }) => code),
      [undefined, undefined, undefined, undefined, 'ALREADY_CLAIMED', undefined],
    )
    const follower = new Follower(store, 0)
    await follower.saw(answered.flatMap(({ id }) => id ?? []))
    await follower.stop()
    assert.deepEqual(follower.commits, await wholeLog(store))
    assert.equal(typeof follower.commits[0]?.position, 'number')
    assert.equal(typeof (await store.read('s'))[1]?.events[0]?.version, 'number')
    const seen = await store.consumers.ensure('planner', 1)
    assert.deepEqual((await store.consumers.take(seen, 'me'))?.position, 1)
    await store.close()
    await strange.close()
    await assertLogSound(mongo.db, { answered, subscribers: [{ after: 0, ids: follower.ids }] }, prefix)
  })

  it('refuses a commit over 8 MB at once and goes on with the next', async () => {
    const store = await open()
    const text = 'x'.repeat(8 * 1024 * 1024)
    const [tooLarge, next] = await Promise.allSettled([
      store.append(commitTo('s', { data: { text } })),
      append(store, commitOf('next')),
    ])
    assert.equal(tooLarge?.status === 'rejected' && tooLarge.reason.code, 'COMMIT_TOO_LARGE')
    assert.equal(next?.status, 'fulfilled')
    await store.close()
  })
})

describe('opening the log on a server that cannot keep it', () => {
  let log: ProxiedLog
  beforeEach(async () => {
    log = await openProxiedLog()
  })
  afterEach(() => log.remove())

  const again = async (): Promise<void> => (await MongoEventStore.open(log.proxiedDb, { keys: log.keys })).close()
  const scratch = ({ insert, update }: Document): boolean => (insert ?? update) === 'scratch'
  const has =
    (id: string) =>
    (request: Document): boolean =>
      scratch(request) && String(request['documents']?.[0]?._id).endsWith(`/${id}`)

  it('is SERVER_UNFIT when the server lets two hold a claim', async () => {
    log.proxy.answer({ command: 'insert', where: has('d') }, 'before', () => ({ ok: 1, n: 1 }))
    assert.match((await rejectsWith('SERVER_UNFIT', again)).message, /claim/)
  })

  it('is SERVER_UNFIT when the server takes commits without claims for equals', async () => {
    const writeErrors = [{ index: 0, code: 11000, errmsg: 'E11000' }]
    log.proxy.answer({ command: 'insert', where: has('c') }, 'before', () => ({ ok: 1, n: 0, writeErrors }))
    assert.match((await rejectsWith('SERVER_UNFIT', again)).message, /without claims/)
  })

  it('is SERVER_UNFIT when the server goes on after an error', async () => {
    log.proxy.answer({ command: 'update', where: scratch }, 'before', () => ({ ok: 1, n: 1, nModified: 1 }))
    assert.match((await rejectsWith('SERVER_UNFIT', again)).message, /ordered/)
  })

  it('is STORE_UNAVAILABLE, not SERVER_UNFIT, when a proof is cut off', async () => {
    const client = new MongoClient(log.proxy.uri(), { retryWrites: false })
    const cutOff = (): Promise<unknown> => MongoEventStore.open(client.db(log.db.databaseName), { keys: log.keys })
    for (const where of [has('a'), has('c'), has('d'), ({ update }: Document) => update === 'scratch']) {
      log.proxy.dropBefore({ command: ['insert', 'update'], where })
      await rejectsWith('STORE_UNAVAILABLE', cutOff)
    }
    await client.close()
  })

  it('takes tickets on a server that says it is new and does not know bulkWrite', async () => {
    log.proxy.answer({ command: 'bulkWrite' }, 'before', () => ({ ok: 0, code: 59, errmsg: 'no such command' }))
    const store = await MongoEventStore.open(log.proxiedDb, { keys: log.keys })
    const quiet = log.proxy.dropBefore({ command: 'bulkWrite' })
    await appendAll(store, [commitOf('a'), commitOf('b')], 'one by one')
    assert.equal(quiet.count, 0)
    quiet.cancel()
    await store.close()
  })

  const behindRouter = (): void => {
    const inDatabase = ({ $db }: Document): boolean => $db === log.db.databaseName
    log.proxy.answer({ command: 'hello', where: inDatabase }, 'after', (_, { setName: _none, ...reply }) => ({
      ...reply,
      msg: 'isdbgrid',
    }))
  }

  it('is STORE_REFUSED on a cluster whose user may not look whether it is sharded, with the privilege that he lacks', async () => {
    behindRouter()
    const refused = { ok: 0, code: 13, codeName: 'Unauthorized', errmsg: 'not authorized on config' }
    log.proxy.answer({ command: 'find', where: ({ $db }) => $db === 'config' }, 'before', () => refused)
    const { message } = await rejectsWith('STORE_REFUSED', again)
    assert.match(message, /may not "find" on config\.collections: .*\{ db: 'config', collection: 'collections' \}/)
    assert.doesNotMatch(message, /readWrite/)
  })

  for (const [what, listed, code] of [
    ['sharded', { _id: 'events' }, 'SERVER_UNFIT'],
    ['moved to another shard and not split', { _id: 'events', unsplittable: true }, undefined],
    ['unknown to the cluster', undefined, undefined],
  ] as const) {
    it(`is ${code ?? 'fine'} on a cluster where the collection is ${what}`, async () => {
      behindRouter()
      const cursor = { id: Long.ZERO, ns: 'config.collections', firstBatch: listed ? [listed] : [] }
      const asked = log.proxy.answer({ command: 'find', where: ({ $db }) => $db === 'config' }, 'before', () => ({
        ok: 1,
        cursor,
      }))
      if (code) await rejectsWith(code, again)
      else await again()
      assert.equal(asked.count, 1)
    })
  }
})

describe('two logs in one database', () => {
  it('keep apart by their prefixes', async () => {
    const database = await openDatabase('prefixes')
    const keys = ephemeralKeys()
    const stores = await Promise.all(['a_', 'b_'].map((prefix) => MongoEventStore.open(database.db, { keys, prefix })))
    for (const store of stores)
      assert.equal((await append(store, commitOf('first', { stream: 's', version: 1 }))).position, 1)
    for (const store of stores) assert.equal((await wholeLog(store)).length, 1)
    await Promise.all(stores.map((store) => store.close()))
    await database.drop()
  })
})
