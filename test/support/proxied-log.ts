import { type Db, type Document, MongoClient, type MongoClientOptions } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import type { Clock } from '../../lib/clock.ts'
import { ephemeralKeys, type Keys } from '../../lib/secrets/key-ring.ts'
import { openDatabase } from './mongo-database.ts'
import { proxyInFrontOf } from './mongo-proxy.ts'
import type { TcpProxy } from './tcp-proxy.ts'

/** Which way appends go while nothing else is in flight. */
export type Path = 'quiet path' | 'ticket path'

/** A log whose store reaches its database through a proxy. */
export interface ProxiedLog {
  readonly proxy: TcpProxy
  readonly store: MongoEventStore
  /** The store's database as it is, beside the proxy. */
  readonly db: Db
  /** The same database through the proxy. */
  readonly proxiedDb: Db
  readonly keys: Keys
  /** Closes the store and removes everything. */
  remove(): Promise<void>
}

export interface ProxiedLogOptions {
  readonly path?: Path
  readonly client?: MongoClientOptions
  readonly clock?: Clock
}

/** The driver asks a server that failed it at most so often, in milliseconds; its default of 500 makes faults slow. */
export const IMPATIENT: MongoClientOptions = { minHeartbeatFrequencyMS: 20, heartbeatFrequencyMS: 50 }

/** Opens a log behind a proxy, on a database of its own. */
export async function openProxiedLog({
  path = 'quiet path',
  client: options,
  clock,
}: ProxiedLogOptions = {}): Promise<ProxiedLog> {
  const database = await openDatabase('proxied')
  const { proxy, uri } = await proxyInFrontOf(database.uri)
  const client = new MongoClient(uri, { ...IMPATIENT, ...options })
  const proxiedDb = client.db(database.name)
  if (path === 'ticket path') onlyTickets(proxy, database.name)
  const keys = ephemeralKeys()
  const store = await MongoEventStore.open(proxiedDb, { keys, ...(clock && { clock }) })
  return {
    proxy,
    store,
    db: database.db,
    proxiedDb,
    keys,
    async remove() {
      await store.close()
      await client.close()
      await proxy.stop()
      await database.drop()
    },
  }
}

/**
 * Makes the server look like one before 8.0 to the stores that open a database whose name begins so: no `bulkWrite`, no
 * quiet path.
 */
export function onlyTickets(proxy: TcpProxy, database: string): void {
  const which = {
    command: 'hello',
    where: ({ $db }: Document) => String($db).startsWith(database),
    times: Number.POSITIVE_INFINITY,
  }
  proxy.answer(which, 'after', (_, reply) => ({ ...reply, maxWireVersion: 21 }))
}

/** Requests that read this collection. */
export function onlyFinds(collection: string): (request: Document) => boolean {
  return ({ find }) => find === collection
}
