import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { FileEventStore } from '../../adapters/file/index.ts'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { type EventStore, generateSecret, type Keys } from '../../lib/index.ts'
import { leaks } from './leak-check.ts'
import { openDatabase } from './mongo-database.ts'

/** Where a log is kept: what a process needs to open it, as JSON. */
export type Place =
  | { readonly kind: 'file'; readonly folder: string }
  | { readonly kind: 'mongodb'; readonly uri: string; readonly name: string; readonly keys: Keys }

/** A place of a test's own. */
export interface PrivatePlace {
  readonly place: Place
  drop(): Promise<void>
}

export async function newPlace(kind: Place['kind']): Promise<PrivatePlace> {
  if (kind === 'file') {
    const folder = await mkdtemp(join(tmpdir(), 'oidc-provider-eventstore-'))
    return { place: { kind, folder }, drop: () => rm(folder, { recursive: true, force: true }) }
  }
  const { uri, name, drop } = await openDatabase('op')
  const key = (): Keys['sealing'] => {
    const secret = generateSecret()
    leaks.secret(secret, 'a key of the log')
    return [{ id: 'test', secret }]
  }
  return { place: { kind, uri, name, keys: { sealing: key(), hashing: key() } }, drop }
}

/** Opens the log there. `close` closes everything that was opened. */
export async function openPlace(place: Place): Promise<{ readonly store: EventStore; close(): Promise<void> }> {
  if (place.kind === 'file') {
    const store = await FileEventStore.open(place.folder)
    return { store, close: () => store.close() }
  }
  const client = await MongoClient.connect(place.uri)
  const store = await MongoEventStore.open(client.db(place.name), { keys: place.keys })
  return {
    store,
    async close() {
      await store.close()
      await client.close()
    },
  }
}
