import { join } from 'node:path'
import { MongoClient } from 'mongodb'
import { type EventStore, generateSecret, type Keys, type Logger } from 'oidc-provider-eventstore'
import { FileEventStore } from 'oidc-provider-eventstore/adapters/file'
import { MongoEventStore } from 'oidc-provider-eventstore/adapters/mongodb'
import { secretFile } from '../secret-file.ts'
import type { Settings } from '../settings.ts'
import { StartupError } from '../startup-error.ts'

/** Someone who starts the example waits no longer than this for a server that is not there, in milliseconds. */
const SERVER_SELECTION_MS = 3_000

export interface OpenStore {
  readonly store: EventStore
  /** Where the log is, and where its keys are from; for people. */
  readonly where: string
  close(): Promise<void>
}

/** The log: in a folder, or on MongoDB where `MONGODB_URI` says so. */
export function openStore(settings: Settings, logger: Logger): Promise<OpenStore> {
  return settings.mongodb ? openOnMongo(settings, settings.mongodb, logger) : openInFolder(settings, logger)
}

async function openInFolder({ stateFolder, keys }: Settings, logger: Logger): Promise<OpenStore> {
  const folder = join(stateFolder, 'log')
  const store = await FileEventStore.open(folder, { logger, ...(keys && { keys }) })
  const keySource = keys ? 'OP_KEYS' : join(folder, 'keys.json')
  return { store, where: `${folder}, its keys: ${keySource}`, close: () => store.close() }
}

async function openOnMongo(
  { stateFolder, keys }: Settings,
  { uri, database }: NonNullable<Settings['mongodb']>,
  logger: Logger,
): Promise<OpenStore> {
  const client = makeClient(uri)
  try {
    // Beside the database and not in it: whoever can read a dump must not be able to open what is sealed.
    const usedKeys = keys ?? (await secretFile(stateFolder, 'mongodb-keys.json', newKeys))
    const store = await MongoEventStore.open(client.db(database), { keys: usedKeys, logger })
    return {
      store,
      where: `MongoDB, database ${database}, its keys: ${keys ? 'OP_KEYS' : join(stateFolder, 'mongodb-keys.json')}`,
      async close() {
        await store.close()
        await client.close()
      },
    }
  } catch (error) {
    await client.close()
    throw error
  }
}

function makeClient(uri: string): MongoClient {
  try {
    return new MongoClient(uri, { serverSelectionTimeoutMS: SERVER_SELECTION_MS })
  } catch (error) {
    // The driver's message does not repeat the URI, which may hold a password.
    throw new StartupError(`MONGODB_URI cannot be used: ${error instanceof Error ? error.message : error}`)
  }
}

function newKeys(): Keys {
  return {
    sealing: [{ id: 'sealing-1', secret: generateSecret() }],
    hashing: [{ id: 'hashing-1', secret: generateSecret() }],
  }
}
