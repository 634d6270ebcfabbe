import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Db } from 'mongodb'
import { inTime } from '../../lib/in-time.ts'
import { type EventStore, type Keys, type Logger, StoreUnavailableError, systemClock } from '../../lib/index.ts'
import { printable } from '../../lib/printable.ts'
import { UsageError } from './exit-codes.ts'
import type { Terminal } from './terminal.ts'

/** How the store is found. */
export interface ConnectionOptions {
  readonly store?: string
  readonly prefix?: string
  readonly keysFile?: string
  readonly issuer?: string
}

/** A store that is open for one command. */
export interface Connection {
  readonly store: EventStore
  /** What it is, for people: without a password. */
  readonly name: string
  /** Whether an OP may have it open at the same time. */
  readonly isShared: boolean
  close(): Promise<void>
}

/** How long closing may take, in milliseconds. */
const CLOSE_MS = 2_000

/** As long a command of the former database may take, in milliseconds: it may have to sort all that there is. */
const COMMAND_MS = 300_000

/** Of the driver's, where the store's own limits hold: making an index of a large log takes hours. */
const NO_LIMIT = 0

/** How long a look at the database may take, in milliseconds. */
const LOOK_MS = 9_000

const SCHEME = /^mongodb(\+srv)?:\/\//
const LIKE_AN_ADDRESS = /:\/\/|@|mongodb/i

/**
 * Opens the store that the options or the environment name: `mongodb://…/database`, or the folder of an embedded store.
 *
 * @param mayMake - also a log that is not there yet, on MongoDB
 * @throws UsageError, and whatever opening throws
 */
export async function connect(
  options: ConnectionOptions,
  terminal: Terminal,
  { mayMake = false }: { readonly mayMake?: boolean } = {},
): Promise<Connection> {
  const place = unquoted(options.store ?? terminal.env['EVENTSTORE_STORE'] ?? '')
  if (!place)
    throw new UsageError(
      'no store is named: --store mongodb://host/database, or --store FOLDER of an embedded store; or EVENTSTORE_STORE',
    )
  if (SCHEME.test(place)) return connectMongo(place, options, terminal, mayMake)
  // Without it: an address that is mistyped may hold a password.
  if (LIKE_AN_ADDRESS.test(place) && !existsSync(place))
    throw new UsageError(
      'the store is no address that is known: mongodb://host/database, or the folder of an embedded store',
    )
  return connectFolder(place, options, terminal)
}

/** Files of environment variables may leave quotes around a value. */
function unquoted(text: string): string {
  const trimmed = text.trim()
  return /^(["']).*\1$/.test(trimmed) ? trimmed.slice(1, -1) : trimmed
}

/** The database that an address names. @throws UsageError */
export async function databaseAt(
  uri: string,
  commandMs: number = COMMAND_MS,
): Promise<{ readonly db: Db; readonly name: string; close(): Promise<void> }> {
  // Without the address, which may hold a password.
  if (!SCHEME.test(uri)) throw new UsageError('that is no address of a database: mongodb://host/database')
  const { MongoClient } = await import('mongodb').catch((cause: unknown) => {
    throw new UsageError('the package `mongodb` is not installed here: npm install mongodb', { cause })
  })
  const { host, pathname } = urlOf(uri)
  try {
    const database = decodeURIComponent(pathname.slice(1))
    if (!database) throw new UsageError('the address names no database: mongodb://host/database')
    const client = new MongoClient(uri, {
      serverSelectionTimeoutMS: 5_000,
      socketTimeoutMS: commandMs,
      appName: 'oidc-provider-eventstore',
    })
    return {
      db: client.db(database),
      name: `MongoDB at ${host}, database ${database}`,
      // A server that hangs would keep it for ever.
      close: async () => void (await inTime(client.close(), systemClock, CLOSE_MS)),
    }
  } catch (cause) {
    if (cause instanceof UsageError) throw cause
    throw new UsageError(`the address of the database cannot be read: ${(cause as Error).message}`, { cause })
  }
}

async function connectMongo(
  uri: string,
  options: ConnectionOptions,
  terminal: Terminal,
  mayMake: boolean,
): Promise<Connection> {
  const { db, name, close } = await databaseAt(uri, mayMake ? NO_LIMIT : COMMAND_MS)
  const { MongoEventStore } = await import('../../adapters/mongodb/index.ts')
  const { prepareLog } = await import('../../adapters/mongodb/prepare-log.ts')
  const keys = await keysOf(options, terminal)
  if (!keys) throw new UsageError('no keys: EVENTSTORE_KEYS as JSON, or --keys-file FILE (or EVENTSTORE_KEYS_FILE)')
  try {
    const prefix = options.prefix ?? terminal.env['EVENTSTORE_PREFIX']
    const settings = { keys, logger: loggerOf(terminal), ...(prefix !== undefined && { prefix }) }
    if (mayMake) await prepareLog(db, settings)
    else await assertLog(db, prefix ?? '', name)
    const store = await MongoEventStore.open(db, settings)
    return {
      store,
      name: prefix ? `${name}, prefix ${prefix}` : name,
      isShared: true,
      close: async () => {
        await store.close()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Whoever mistypes an address must not be told that all is well with a log that was made just now. */
async function assertLog(db: Db, prefix: string, name: string): Promise<void> {
  const { asStoreError, isAnonymous } = await import('../../adapters/mongodb/store-errors.ts')
  const { needing } = await import('../../adapters/mongodb/rights.ts')
  const counters = db.collection<{ _id: string }>(`${prefix}counters`)
  const find = (): Promise<unknown> =>
    counters.findOne({ _id: 'schema' }).catch((error: unknown) => {
      throw isAnonymous(error) ? asStoreError(error) : error // nobody has logged in: that is no missing right
    })
  let schema: unknown
  const looking = needing('find', counters.namespace, find).then(
    (found) => {
      schema = found
    },
    (error: unknown) => {
      throw asStoreError(error)
    },
  )
  if (!(await inTime(looking, systemClock, LOOK_MS)))
    throw new StoreUnavailableError(`${name} has not answered for ${LOOK_MS / 1_000} s`)
  if (schema) return
  throw new UsageError(
    `there is no log in ${name}${prefix ? `, prefix ${prefix}` : ''}: an OP makes it when it starts, or \`prepare\` does`,
  )
}

async function connectFolder(folder: string, options: ConnectionOptions, terminal: Terminal): Promise<Connection> {
  if (!existsSync(join(folder, 'journal.log')))
    throw new UsageError(`there is no embedded store in ${folder}: an OP makes it when it starts`)
  const { FileEventStore } = await import('../../adapters/file/index.ts')
  const keys = await keysOf(options, terminal)
  const store = await FileEventStore.open(folder, { logger: loggerOf(terminal), ...(keys && { keys }) })
  return { store, name: `embedded store in ${folder}`, isShared: false, close: () => store.close() }
}

/** The issuer that is named, if one is. @throws UsageError */
export function issuerOf(options: ConnectionOptions, terminal: Terminal): string | undefined {
  const issuer = options.issuer ?? (terminal.env['EVENTSTORE_ISSUER'] || undefined)
  if (issuer !== undefined) assertIssuer(issuer)
  return issuer
}

/** @throws UsageError */
export function assertIssuer(issuer: string): void {
  if (!URL.canParse(issuer))
    throw new UsageError(`${issuer} is no issuer: https://op.example.com, as the provider has it`)
}

async function keysOf({ keysFile }: ConnectionOptions, { env }: Terminal): Promise<Keys | undefined> {
  const file = keysFile ?? (env['EVENTSTORE_KEYS_FILE'] || undefined)
  const text = file === undefined ? env['EVENTSTORE_KEYS'] : await readSecret(file)
  if (text === undefined || text === '') return undefined
  try {
    return JSON.parse(text) as Keys
  } catch {
    // Without the parser's message, which quotes what it has read.
    throw new UsageError(`${file ?? 'EVENTSTORE_KEYS'} is not JSON: { "sealing": [key], "hashing": [key] }`)
  }
}

/** A file that holds a key. @throws UsageError */
export async function readSecret(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new UsageError(`${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}`, { cause })
  }
}

function urlOf(uri: string): { readonly host: string; readonly pathname: string } {
  // A list of hosts is no URL: what is between the credentials and the path is taken as it is.
  const match = /^mongodb(?:\+srv)?:\/\/(?:[^@/]*@)?([^/?]+)(\/[^?]*)?/.exec(uri)
  if (!match) throw new UsageError('the address of the store cannot be read: mongodb://host/database')
  return { host: match[1] ?? '', pathname: match[2] ?? '/' }
}

/** Warnings of the store go beside the results. */
function loggerOf({ stderr }: Terminal): Logger {
  const print = (_: object, message: string): void => {
    stderr.write(`${printable(message)}\n`)
  }
  return { debug() {}, info() {}, warn: print, error: print }
}
