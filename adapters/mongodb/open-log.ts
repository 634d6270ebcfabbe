import { StoreUnavailableError } from '../../lib/errors.ts'
import type { KeyRing } from '../../lib/secrets/key-ring.ts'
import { MongoAccountKeys } from './account-keys.ts'
import { assertNotSharded, checkCollections } from './check-collections.ts'
import { askServer, checkServer, type ServerCapabilities } from './check-server.ts'
import type { Collections } from './collections.ts'
import { MongoIndex } from './index-table.ts'
import { MongoLiveness } from './liveness.ts'
import { loadMacKeys } from './mac-keys.ts'
import { makeIndexes, prepareDatabase } from './prepare-database.ts'
import type { AskWith } from './rights.ts'
import { asStoreError } from './store-errors.ts'
import { CommandTimeoutError } from './with-timeout.ts'
import { MongoWork } from './work.ts'

/** How long one command of `open()` may take, in milliseconds: some of them make collections and indexes. */
const OPEN_TIMEOUT_MS = 9_000

/** Work tables whose indexes `open()` makes. */
const WORK_TABLES: readonly string[] = ['deliveries', 'endings']

/** Index tables whose database indexes `open()` makes. */
const INDEX_TABLES: readonly string[] = ['live', 'parked_commits']

/** Names that belong to the log. */
const NAMES: readonly string[] = [
  ...['events', 'counters', 'consumers', 'liveness', 'log_segments', 'account_keys', ...INDEX_TABLES],
  ...WORK_TABLES.flatMap((table) => [table, `${table}_lanes`]),
]

/**
 * Looks at what is there, checks the server, makes what is missing, in this order: a database that cannot hold the log
 * is left as it was.
 *
 * @throws as `MongoEventStore.open`
 */
export async function openLog(collections: Collections, keys: KeyRing): Promise<ServerCapabilities> {
  const ask: AskWith = (call) => collections.attempt(call, OPEN_TIMEOUT_MS)
  try {
    const server = await askServer(collections, ask)
    if (server.isRouter) await assertNotSharded(collections, ask)
    await checkCollections(collections, NAMES, ask)
    const capabilities = await checkServer(collections, server, ask)
    await prepareDatabase(collections, keys, ask)
    collections.macs = await loadMacKeys(collections, keys, ask)
    for (const table of WORK_TABLES) {
      await makeIndexes(collections, table, () => ask(() => MongoWork.prepare(collections, table)))
    }
    for (const name of INDEX_TABLES) {
      await makeIndexes(collections, name, () => ask(() => MongoIndex.prepare(collections, name)))
    }
    await makeIndexes(collections, 'account_keys', () => ask(() => MongoAccountKeys.prepare(collections)))
    await ask(() => MongoLiveness.prepare(collections))
    return capabilities
  } catch (error) {
    if (error instanceof CommandTimeoutError) throw unreachable(collections, error)
    throw asStoreError(error)
  }
}

/** The driver goes on trying for longer than anybody waits here, and says only then what kept it. */
function unreachable({ client }: Collections, cause: CommandTimeoutError): StoreUnavailableError {
  const hosts = client.options?.hosts?.map(({ host, port }) => `${host}:${port}`).join(', ') ?? 'its address'
  const what = `MongoDB at ${hosts} does not answer (${cause.message}): is it running, reachable, and the address right?`
  return new StoreUnavailableError(what, { cause })
}
