import type { Document } from 'mongodb'
import { StoreRefusedError } from '../../lib/errors.ts'
import type { Collections } from './collections.ts'

/** Names of the unique indexes of `events` that belong to the log. */
const OWN_UNIQUE: ReadonlySet<string> = new Set(['_id_', 'claims'])

/** The indexes of a collection, as the server lists them; none where there is no such collection. */
export async function indexesOf(collections: Collections, name: string): Promise<Document[]> {
  const collection = collections.db.collection(collections.name(name))
  return collections.attempt(async (signal) => {
    const listed = await collections.command({ listIndexes: collection.collectionName, cursor: {} }, { signal })
    return (listed['cursor']?.firstBatch ?? []) as Document[]
  })
}

/**
 * A unique index that is not the log's refuses commits and tombstones with E11000 for ever, and no document holds their
 * position or their claims.
 *
 * @throws StoreRefusedError (`STORE_REFUSED`) that names the index
 */
export async function assertNoForeignUniqueIndex(collections: Collections): Promise<void> {
  const indexes = await indexesOf(collections, 'events').catch(() => [])
  const foreign = indexes.filter(({ name, unique }) => unique === true && !OWN_UNIQUE.has(String(name)))
  if (foreign.length === 0) return
  const names = foreign.map(({ name, key }) => `"${name}" on ${JSON.stringify(key)}`).join(', ')
  throw new StoreRefusedError(
    `the collection ${collections.namespace('events')} has a unique index that is not the log's, and it refuses commits: drop ${names}`,
  )
}
