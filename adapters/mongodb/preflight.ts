import { randomBytes } from 'node:crypto'
import { type Db, type Document, Long, MongoBulkWriteError, MongoServerError } from 'mongodb'
import { SchemaNewerError, ServerUnfitError } from '../../lib/errors.ts'
import { SCHEMA_VERSION } from '../../lib/log/prepare.ts'
import type { KeyRing } from '../../lib/secrets/key-ring.ts'
import type { Collections } from './collections.ts'
import { failureOf } from './failure.ts'
import { counterMoved, isDuplicate } from './outcome.ts'

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
  const hello = await collections.db.command({ hello: 1 }, { raw: false })
  const isRouter = hello['msg'] === 'isdbgrid'
  if (isRouter) await refuseSharded(collections)
  const name = `scratch_${randomBytes(6).toString('hex')}`
  const scratch = collections.scratch(name)
  try {
    await scratch.createIndex({ k: 1 }, { unique: true, sparse: true })
    await scratch.insertMany([{ _id: 'a', k: ['one', 'two'] }, { _id: 'b' }])
    await demand(
      'two documents without claims are refused: the sparse unique index is not sparse',
      refusesDuplicate(scratch.insertOne({ _id: 'c' })).then((refused) => !refused),
    )
    await demand(
      'a claim can be held twice: the unique index does not hold over arrays',
      refusesDuplicate(scratch.insertOne({ _id: 'd', k: ['two', 'three'] })),
    )
    await demand('an ordered bulk write goes on after an error', orderedStops(collections, name))
    const mayBeQuiet = Number(hello['maxWireVersion']) >= BULK_WRITE_WIRE_VERSION && !isRouter
    return {
      quietPath: mayBeQuiet && (await quietPathStops(collections, name)),
      changeStreams: isRouter || hello['setName'] !== undefined,
    }
  } finally {
    await scratch.drop().catch(() => undefined)
  }
}

async function refusesDuplicate(write: Promise<unknown>): Promise<boolean> {
  const error = await failureOf(write)
  if (error !== undefined && !isDuplicate(error)) throw error // says nothing of the server's indexes
  return error !== undefined
}

async function orderedStops(collections: Collections, name: string): Promise<boolean> {
  const scratch = collections.scratch(name)
  const error = await failureOf(
    scratch.bulkWrite(
      [
        { updateOne: { filter: { _id: 'a', n: 1 }, update: { $set: { n: 2 } }, upsert: true } },
        { insertOne: { document: { _id: 'after' } } },
      ],
      { ordered: true },
    ),
  )
  if (error === undefined) return false
  if (!(error instanceof MongoBulkWriteError) || !error.result.hasWriteErrors()) throw error
  return (await scratch.findOne({ _id: 'after' })) === null
}

/** A server that does not know the command, or takes it otherwise, is asked for tickets. */
async function quietPathStops(collections: Collections, name: string): Promise<boolean> {
  const namespace = collections.namespace(name)
  const document: Document = { _id: 'behind' }
  const filter: Document = { _id: 'a', n: 1 }
  const error = await failureOf(
    collections.client.bulkWrite(
      [
        { name: 'updateMany', namespace, filter, update: { $set: { n: 2 } }, upsert: true },
        { name: 'insertOne', namespace, document },
      ],
      { ordered: true, writeConcern: { w: 'majority', journal: true } },
    ),
  )
  if (error !== undefined && !(error instanceof MongoServerError)) throw error
  return counterMoved(error) && (await collections.scratch(name).findOne({ _id: 'behind' })) === null
}

async function demand(whatIsWrong: string, holds: Promise<boolean>): Promise<void> {
  if (await holds) return
  throw new ServerUnfitError(`this server cannot keep the log: ${whatIsWrong}. Use MongoDB 7.0 or later`)
}

/** Unique indexes hold per shard only. A collection that was moved or unsharded is listed too, as one that is not split. */
async function refuseSharded({ db, events }: Collections): Promise<void> {
  const namespace = `${db.databaseName}.${events.collectionName}`
  const listed = await configOf(db)
    .collection<{ _id: string; unsplittable?: boolean }>('collections')
    .findOne({ _id: namespace })
  if (listed && listed.unsplittable !== true) {
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
