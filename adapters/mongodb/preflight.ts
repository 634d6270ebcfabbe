import { randomBytes } from 'node:crypto'
import { type Db, Long, MongoBulkWriteError } from 'mongodb'
import { SchemaNewerError, ServerUnfitError } from '../../lib/errors.ts'
import { SCHEMA_VERSION } from '../../lib/log/prepare.ts'
import type { KeyRing } from '../../lib/secrets/key-ring.ts'
import type { Collections } from './collections.ts'
import { isDuplicate } from './outcome.ts'

/** Wire version of MongoDB 8.0, the first to know `bulkWrite` over several collections. */
const BULK_WRITE_WIRE_VERSION = 25

/** What the server can do. */
export interface ServerTraits {
  readonly quietPath: boolean
  readonly changeStreams: boolean
}

/** Makes what is missing: indexes, the counter, the schema version. Safe to run in many processes at once. */
export async function prepareDatabase(collections: Collections, keys: KeyRing): Promise<void> {
  await recordSchema(collections, keys)
  await collections.events.createIndexes([
    { key: { s: 1, _id: -1 }, name: 'streams' },
    { key: { k: 1 }, name: 'claims', unique: true, sparse: true },
  ])
  await ignoringDuplicate(
    collections.counters.updateOne({ _id: 'events' }, { $setOnInsert: { n: Long.ZERO } }, { upsert: true }),
  )
  await collections.workers.createIndex({ table: 1 })
}

/** @throws SchemaNewerError, KeyUnknownError */
async function recordSchema({ schema }: Collections, keys: KeyRing): Promise<void> {
  const fresh = { version: SCHEMA_VERSION, hashing: keys.hashingFingerprints() }
  await ignoringDuplicate(schema.updateOne({ _id: 'schema' }, { $setOnInsert: fresh }, { upsert: true }))
  const found = await schema.findOne({ _id: 'schema' })
  if (!found)
    throw new ServerUnfitError(
      'the schema version was written and cannot be read back: is this user allowed to read the database?',
    )
  if (found.version > SCHEMA_VERSION) throw new SchemaNewerError('the database', found.version, SCHEMA_VERSION)
  keys.assertHashingKnown(found.hashing)
  await schema.updateOne({ _id: 'schema' }, { $addToSet: { hashing: { $each: keys.hashingFingerprints() } } })
}

/**
 * Proves, on a scratch collection, what the log's correctness stands on.
 *
 * @throws ServerUnfitError (`SERVER_UNFIT`)
 */
export async function proveServer(collections: Collections): Promise<ServerTraits> {
  const hello = await collections.db.command({ hello: 1 })
  if (hello['msg'] === 'isdbgrid') await refuseSharded(collections)
  const name = `scratch_${randomBytes(6).toString('hex')}`
  const scratch = collections.scratch(name)
  try {
    await scratch.createIndex({ k: 1 }, { unique: true, sparse: true })
    await scratch.insertMany([{ _id: 'a', k: ['one', 'two'] }, { _id: 'b' }])
    await demand(
      'two documents without claims are refused: the sparse unique index is not sparse',
      scratch.insertOne({ _id: 'c' }).then(
        () => true,
        () => false,
      ),
    )
    await demand(
      'a claim can be held twice: the unique index does not hold over arrays',
      scratch.insertOne({ _id: 'd', k: ['two', 'three'] }).then(() => false, isDuplicate),
    )
    await demand('an ordered bulk write goes on after an error', orderedStops(collections, name))
  } finally {
    await scratch.drop().catch(() => undefined)
  }
  return {
    quietPath: Number(hello['maxWireVersion']) >= BULK_WRITE_WIRE_VERSION && hello['msg'] !== 'isdbgrid',
    changeStreams: hello['setName'] !== undefined,
  }
}

async function orderedStops(collections: Collections, name: string): Promise<boolean> {
  const scratch = collections.scratch(name)
  try {
    await scratch.bulkWrite(
      [
        { updateOne: { filter: { _id: 'a', n: 1 }, update: { $set: { n: 2 } }, upsert: true } },
        { insertOne: { document: { _id: 'after' } } },
      ],
      { ordered: true },
    )
    return false
  } catch (error) {
    return error instanceof MongoBulkWriteError && (await scratch.findOne({ _id: 'after' })) === null
  }
}

async function demand(whatIsWrong: string, holds: Promise<boolean>): Promise<void> {
  if (await holds) return
  throw new ServerUnfitError(`this server cannot keep the log: ${whatIsWrong}. Use MongoDB 7.0 or later`)
}

/** Unique indexes hold per shard only. */
async function refuseSharded({ db, events }: Collections): Promise<void> {
  const namespace = `${db.databaseName}.${events.collectionName}`
  const sharded = await configOf(db).collection<{ _id: string }>('collections').findOne({ _id: namespace })
  if (sharded) {
    throw new ServerUnfitError(
      `${namespace} is sharded: claims would be unique per shard only. Unshard it (unshardCollection), or use another database; an unsharded collection on a cluster is fine`,
    )
  }
}

function configOf(db: Db): Db {
  return db.client.db('config')
}

async function ignoringDuplicate(write: Promise<unknown>): Promise<void> {
  try {
    await write
  } catch (error) {
    if (!isDuplicate(error)) throw error // another process was faster
  }
}
