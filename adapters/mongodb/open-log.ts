import type { MongoClient, ServerHeartbeatFailedEvent } from 'mongodb'
import { StoreUnavailableError } from '../../lib/errors.ts'
import { PARKED } from '../../lib/log/consumer.ts'
import type { KeyRing } from '../../lib/secrets/key-ring.ts'
import { MongoAccountKeys } from './account-keys.ts'
import { assertNotSharded, checkCollections } from './check-collections.ts'
import { askServer, checkServer, SCRATCH, type ServerCapabilities } from './check-server.ts'
import type { Collections } from './collections.ts'
import { MongoIndex } from './index-table.ts'
import { MongoLiveness } from './liveness.ts'
import { loadMacKeys } from './mac-keys.ts'
import { assertIndexesBuilt, CLAIMS_INDEX, type LogIndex, makeIndexes, STREAMS_INDEX } from './make-indexes.ts'
import { prepareDatabase } from './prepare-database.ts'
import type { AskWith } from './rights.ts'
import { asStoreError, whyOf } from './store-errors.ts'
import { CommandTimeoutError } from './with-timeout.ts'
import { MongoWork } from './work.ts'
import { WorkLanes } from './work-lanes.ts'

/** How long one command of `open()` may take, in milliseconds: some of them make collections and indexes. */
const OPEN_TIMEOUT_MS = 9_000

/** The same for making indexes where the caller waits for them, in milliseconds: a large log takes hours. */
const WAIT_FOR_INDEXES_MS = 43_200_000

const WORK_TABLES: readonly string[] = ['deliveries', 'endings', PARKED]
const INDEX_TABLES: readonly string[] = ['live', 'parked_commits']

const EVENTS_INDEXES: readonly LogIndex[] = [STREAMS_INDEX, CLAIMS_INDEX]

/** The indexes of the log, by collection. */
const INDEXES: ReadonlyMap<string, readonly LogIndex[]> = new Map([
  ['events', EVENTS_INDEXES],
  ['account_keys', MongoAccountKeys.indexes],
  ...WORK_TABLES.map((table) => [table, MongoWork.indexes] as const),
  ...WORK_TABLES.map((table) => [`${table}_lanes`, WorkLanes.indexes] as const),
  ...INDEX_TABLES.map((name) => [name, MongoIndex.indexes] as const),
])

/** Names that belong to the log. */
const NAMES: readonly string[] = ['counters', 'consumers', 'liveness', 'log_segments', SCRATCH, ...INDEXES.keys()]

/**
 * Looks at what is there, checks the server, makes what is missing, in this order: a database that cannot hold the log
 * is left as it was. Where nothing is missing, the database user needs no right to make collections or indexes.
 *
 * @param waits - whether to wait for indexes that take long
 * @throws as `MongoEventStore.open`
 */
export async function openLog(
  collections: Collections,
  keys: KeyRing,
  { waits = false }: { readonly waits?: boolean } = {},
): Promise<ServerCapabilities> {
  const { client } = collections
  const ask: AskWith = (call) => collections.attempt(call, OPEN_TIMEOUT_MS)
  const askForIndexes: AskWith = waits ? (call) => collections.attempt(call, WAIT_FOR_INDEXES_MS) : ask
  let failure: Error | undefined
  const onFailure = (event: ServerHeartbeatFailedEvent): void => {
    failure = event.failure
  }
  client.on('serverHeartbeatFailed', onFailure)
  try {
    const server = await askServer(collections, ask)
    if (server.isRouter) await assertNotSharded(collections, ask)
    const found = await checkCollections(collections, NAMES, ask)
    const capabilities = await checkServer(collections, server, found.get(SCRATCH) ?? [], ask)
    await prepareDatabase(collections, keys, ask)
    collections.macs = await loadMacKeys(collections, keys, ask)
    for (const [name, indexes] of INDEXES) {
      await makeIndexes(collections, name, indexes, found.get(name) ?? [], askForIndexes)
    }
    await assertIndexesBuilt(collections, ask).catch(async (error: unknown) => {
      if (!waits || !(error instanceof StoreUnavailableError)) throw error
      // Asked for an index that is being built, the server answers when that is done.
      await makeIndexes(collections, 'events', EVENTS_INDEXES, [], askForIndexes)
      await assertIndexesBuilt(collections, ask)
    })
    await ask(() => MongoLiveness.prepare(collections))
    return capabilities
  } catch (error) {
    if (error instanceof CommandTimeoutError) throw unreachable(client, error, failure)
    throw asStoreError(error)
  } finally {
    client.off('serverHeartbeatFailed', onFailure)
  }
}

/**
 * The driver goes on trying for longer than anybody waits here.
 *
 * @param failure - what kept it when it tried last: nobody listens there, a certificate that it does not trust
 */
function unreachable(client: MongoClient, cause: CommandTimeoutError, failure?: Error): StoreUnavailableError {
  const hosts = client.options?.hosts?.map(({ host, port }) => `${host}:${port}`).join(', ') ?? 'its address'
  const why = failure ? `${cause.message}; ${whyOf(failure)}` : cause.message
  const what = `MongoDB at ${hosts} does not answer (${why}): is it running, reachable, and the address right?`
  return new StoreUnavailableError(what, { cause: failure ?? cause })
}
