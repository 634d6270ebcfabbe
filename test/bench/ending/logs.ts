import { MongoClient } from 'mongodb'
import { MemoryEventStore } from '../../../adapters/memory/index.ts'
import { MongoEventStore } from '../../../adapters/mongodb/index.ts'
import type { EventStore } from '../../../lib/index.ts'
import type { ScaleSetup } from '../../scale-run/scale-program.ts'
import { KEYS } from '../keys.ts'
import { type BenchServer, benchServer, databaseOfRun } from '../server.ts'

/** A log of its own, for one candidate. */
export interface BenchLog {
  readonly place: ScaleSetup['place']
  readonly store: EventStore
  /** Whether the OP's processes reach `store` itself, which is in the memory of this process. */
  readonly isHere: boolean
  close(): Promise<void>
}

/** Where logs are kept, and the sizes that can be measured there. */
export interface LogKind {
  readonly name: string
  readonly sizes: readonly number[]
  open(): Promise<BenchLog>
}

/**
 * MongoDB, and the memory of this process. SecantusDB reads all that matches a query before it applies a limit: what
 * grows with the number of sessions is measured on it in memory alone.
 */
export async function startLogs(sizes: readonly number[]): Promise<{ kinds: LogKind[]; stop(): Promise<void> }> {
  const server = await benchServer({ durable: true })
  const isMongod = !server.kind.startsWith('secantusd')
  return {
    kinds: [
      { name: 'MongoDB', sizes: isMongod ? sizes : sizes.slice(0, 1), open: () => openOnServer(server) },
      { name: 'memory of another process', sizes, open: openHere },
    ],
    stop: () => server.stop(),
  }
}

let databases = 0

async function openOnServer({ uri }: BenchServer): Promise<BenchLog> {
  const name = databaseOfRun(`ending_${databases++}`)
  const client = await MongoClient.connect(uri)
  const store = await MongoEventStore.open(client.db(name), { keys: KEYS })
  const close = async (): Promise<void> => {
    await store.close()
    await client.close()
  }
  return { place: { kind: 'mongodb', uri, name, keys: KEYS }, store, isHere: false, close }
}

async function openHere(): Promise<BenchLog> {
  const store = new MemoryEventStore({ keys: KEYS })
  return { place: { kind: 'elsewhere', keys: KEYS }, store, isHere: true, close: () => store.close() }
}
