import type { Document } from 'mongodb'
import { CollectionUnfitError, ServerUnfitError } from '../../lib/errors.ts'
import { SCRATCH } from './check-server.ts'
import type { Collections } from './collections.ts'
import { isEventsDocument } from './documents.ts'
import { indexesOf } from './foreign-indexes.ts'
import { CLAIMS_INDEX, isIndex, isSame, type LogIndex, STREAMS_INDEX } from './make-indexes.ts'
import { type AskWith, needing } from './rights.ts'

/** The indexes of a collection, as the server lists them, by the collection's name without the prefix. */
export type FoundIndexes = ReadonlyMap<string, readonly Document[]>

/**
 * Looks at what is there under the log's names, before anything is changed: collections that cannot hold a log, or that
 * hold something else.
 *
 * @returns the indexes that are there
 * @throws CollectionUnfitError (`COLLECTION_UNFIT`), StoreRefusedError (`STORE_REFUSED`)
 */
export async function checkCollections(
  collections: Collections,
  names: readonly string[],
  ask: AskWith,
): Promise<FoundIndexes> {
  const { db } = collections
  const filter = { name: { $in: names.map((name) => collections.name(name)) } }
  const listed = await needing('listCollections', db.databaseName, () =>
    ask((signal) => collections.command({ listCollections: 1, filter, cursor: { batchSize: 1_000 } }, { signal })),
  )
  const found = listed['cursor'].firstBatch as Document[]
  for (const collection of found) assertPlain(db.databaseName, collection)
  const there = names.filter((name) => found.some((collection) => collection['name'] === collections.name(name)))
  const indexes = new Map<string, readonly Document[]>()
  for (const name of there) {
    indexes.set(name, await needing('listIndexes', collections.namespace(name), () => indexesOf(collections, name)))
    assertIndexes(collections, name, indexes.get(name) ?? [])
  }
  // Another process may be at its proofs on the scratch collection, before there is a log.
  const logs = there.filter((name) => name !== SCRATCH)
  await assertDocuments(collections, logs, ask)
  return indexes
}

/** Those whose options are compared. */
const COMPARED: Readonly<Record<string, readonly LogIndex[]>> = {
  events: [STREAMS_INDEX, CLAIMS_INDEX],
  [SCRATCH]: [CLAIMS_INDEX],
}

/** A collection with options that delete documents, refuse them, or compare strings otherwise than byte by byte. */
function assertPlain(database: string, { name, type, options = {} }: Document): void {
  const what =
    (type !== 'collection' &&
      type !== undefined &&
      `is a ${type === 'timeseries' ? 'time-series collection' : type}`) ||
    (options.capped === true && 'is capped, so that the server deletes its oldest documents') ||
    (options.expireAfterSeconds !== undefined && 'lets its documents expire') ||
    (options.collation && options.collation.locale !== 'simple' && `has the collation "${options.collation.locale}"`) ||
    (hasKeys(options.validator) && options.validationAction !== 'warn' && 'has a validator')
  if (what) throw unfit(`${database}.${name}`, what)
}

function assertIndexes(collections: Collections, name: string, indexes: readonly Document[]): void {
  const namespace = collections.namespace(name)
  const own = COMPARED[name] ?? []
  for (const index of indexes) {
    if (index['name'] === '_id_') continue
    const wanted = own.find((each) => each.name === index['name'] || isSame(each.key, index['key']))
    const said = `"${index['name']}" on ${JSON.stringify(index['key'])}`
    if (wanted && !isIndex(wanted, index)) {
      throw unfit(namespace, `has an index ${said} whose options are not those of the log's index "${wanted.name}"`)
    }
    if (index['expireAfterSeconds'] !== undefined) {
      throw unfit(namespace, `has a TTL index ${said}, by which the server deletes documents`)
    }
    if (index['unique'] === true && !wanted) throw unfit(namespace, `has a unique index ${said} that is not the log's`)
  }
}

/** Both ends are looked at, where documents of other kinds sort: their number does not matter. */
async function assertDocuments(collections: Collections, there: readonly string[], ask: AskWith): Promise<void> {
  const isLog =
    there.includes('counters') &&
    (await needing('find', collections.namespace('counters'), () =>
      ask((signal) => collections.schema.findOne({ _id: 'schema' }, { projection: { _id: 1 }, signal })),
    )) !== null
  for (const name of isLog ? [] : there) {
    const collection = collections.collection(collections.name(name))
    const some = await ask((signal) => collection.findOne({}, { projection: { _id: 1 }, signal }))
    if (some) throw unfit(collections.namespace(name), 'holds documents, and none of them says that this is a log')
  }
  if (!isLog || !there.includes('events')) return
  for (const order of [1, -1] as const) {
    const outermost = await ask((signal) => collections.events.findOne({}, { sort: { _id: order }, signal }))
    if (outermost && !isEventsDocument(outermost)) {
      throw unfit(collections.namespace('events'), `holds a document that is no commit, with the _id ${outermost._id}`)
    }
  }
}

function unfit(namespace: string, what: string): CollectionUnfitError {
  return new CollectionUnfitError(namespace, what)
}

function hasKeys(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0
}

/** What readWrite of a database does not hold: the right is of another database. */
const ROLE_BEHIND_ROUTER =
  "on a cluster open() looks there whether the log is sharded. Give the user a role of the database admin with the privilege { resource: { db: 'config', collection: 'collections' }, actions: ['find'] }"

/**
 * Unique indexes hold per shard only. A collection that was moved or unsharded is listed too, as one that is not split.
 *
 * @throws ServerUnfitError (`SERVER_UNFIT`), StoreRefusedError (`STORE_REFUSED`) that names the missing right
 */
export async function assertNotSharded(collections: Collections, ask: AskWith): Promise<void> {
  const namespace = collections.namespace('events')
  const sharded = collections.client.db('config').collection<{ _id: string; unsplittable?: boolean }>('collections')
  const listed = await needing(
    'find',
    sharded.namespace,
    () => ask((signal) => sharded.findOne({ _id: namespace }, { signal })),
    ROLE_BEHIND_ROUTER,
  )
  if (listed && listed.unsplittable !== true) {
    throw new ServerUnfitError(
      `${namespace} is sharded: claims would be unique per shard only. Unshard it (unshardCollection), or use another database; an unsharded collection on a cluster is fine`,
    )
  }
}
