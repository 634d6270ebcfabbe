import { randomBytes } from 'node:crypto'
import { basename } from 'node:path'
import { type Db, MongoClient } from 'mongodb'
import { atEndOfRun } from './end-of-run.ts'
import { type MongoServer, startServer } from './mongo-server.ts'

/** Tells the processes that a test starts which server its tests share. */
const SHARED_URI = 'EVENTSTORE_TEST_MONGODB_URI'

let shared: Promise<string> | undefined
let sharedServer: MongoServer | undefined

/**
 * The server that all tests of a run share: `MONGODB_URI`, or one that starts at the first call and ends with the run.
 * A test that kills, stops or restarts its server uses `startServer()` instead.
 */
export function mongoUri(): Promise<string> {
  shared ??= findShared()
  return shared
}

async function findShared(): Promise<string> {
  const inherited = process.env[SHARED_URI]
  if (inherited) return inherited
  if (process.env.MONGODB_URI) {
    say('MONGODB_URI')
    process.env[SHARED_URI] = process.env.MONGODB_URI
    return process.env.MONGODB_URI
  }
  sharedServer = await startServer({ port: 0, background: true })
  atEndOfRun(stopSharedServer)
  say(sharedServer.kind)
  process.env[SHARED_URI] = sharedServer.uri
  return sharedServer.uri
}

/** Called once, at the end of the run. */
export async function stopSharedServer(): Promise<void> {
  await sharedServer?.stop()
}

function say(what: string): void {
  process.stdout.write(`MongoDB for the tests: ${what}\n`)
}

/** A database that nobody else uses, with a client of its own. */
export interface PrivateDatabase {
  readonly uri: string
  readonly name: string
  readonly client: MongoClient
  readonly db: Db
}

/**
 * Inside a `describe`: gives its tests a private database before the first of them and drops it after the last.
 *
 *     const mongo = privateDatabase()
 *     it('…', async () => { await mongo.db.collection('log').countDocuments() })
 */
export function privateDatabase(): PrivateDatabase {
  let opened: OpenedDatabase | undefined
  before(async function () {
    opened = await openDatabase(basename(this.test?.file ?? 'test').split('.', 1)[0])
  })
  after(async () => {
    await opened?.drop()
  })
  const need = (): OpenedDatabase => {
    if (!opened) throw new Error('privateDatabase() can be used inside hooks and tests only')
    return opened
  }
  return {
    get uri() {
      return need().uri
    },
    get name() {
      return need().name
    },
    get client() {
      return need().client
    },
    get db() {
      return need().db
    },
  }
}

export interface OpenedDatabase extends PrivateDatabase {
  /** Drops the database and closes the client. */
  drop(): Promise<void>
}

/** The same for factories of contract suites, which make one for each test. */
export async function openDatabase(label = 'test'): Promise<OpenedDatabase> {
  const uri = await mongoUri()
  const name = `eventstore_${label.replaceAll(/[^a-z0-9]/gi, '_').slice(0, 32)}_${randomBytes(4).toString('hex')}`
  const client = await MongoClient.connect(uri)
  const db = client.db(name)
  return {
    uri,
    name,
    client,
    db,
    async drop() {
      await db.dropDatabase()
      await client.close()
    },
  }
}
