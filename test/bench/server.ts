import { MongoClient } from 'mongodb'
import { startServer } from '../support/mongo-server.ts'

/** The server that a benchmark runs on. */
export interface BenchServer {
  readonly kind: string
  readonly uri: string
  /** Absent: it is not one of this machine's, and nothing can be put between. */
  readonly port?: number
  stop(): Promise<void>
}

const PREFIX = `bench_${process.pid}_`

/** The name of a database of this run. */
export function databaseOfRun(name: string): string {
  return `${PREFIX}${name}`
}

/**
 * A server of its own, or that of `MONGODB_URI`, which loses the databases of this run when it is stopped.
 *
 * @param durable - whether its own server syncs at each write: what is filled in only once need not be
 */
export async function benchServer({ durable }: { readonly durable: boolean }): Promise<BenchServer> {
  const uri = process.env['MONGODB_URI']
  if (uri === undefined) return startServer({ durable })
  return { kind: 'MONGODB_URI', uri, stop: () => dropDatabasesOfRun(uri) }
}

async function dropDatabasesOfRun(uri: string): Promise<void> {
  const client = await MongoClient.connect(uri)
  const { databases } = await client.db('admin').admin().listDatabases({ nameOnly: true })
  for (const { name } of databases) if (name.startsWith(PREFIX)) await client.db(name).dropDatabase()
  await client.close()
}
