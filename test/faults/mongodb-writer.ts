// Appends so many commits to the log named in its arguments, or until SIGTERM, several at a time, and tells what became of
// each: commits with marks of its own and marks that others want too, versions, commits that share a stream, and such that
// claim nothing.
import { MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import type { NewCommit } from '../../lib/log/commit.ts'
import type { Keys } from '../../lib/secrets/key-ring.ts'
import { append, commitOf } from '../support/appending.ts'
import { IMPATIENT } from '../support/proxied-log.ts'

/** What it is told in its argument. */
export interface WriterOrders {
  readonly uri: string
  readonly database: string
  readonly keys: Keys
  readonly name: string
  readonly commits: number
  /** So many at a time. */
  readonly lanes: number
}

/** What it says first. */
export interface Opened {
  readonly opened: string
}

const { uri, database, keys, name, commits, lanes }: WriterOrders = JSON.parse(process.argv[2] ?? '')
const client = new MongoClient(uri, IMPATIENT)
const store = await MongoEventStore.open(client.db(database), { keys })

// What is under way is told, and nothing new begins.
let isEnough = false
process.once('SIGTERM', () => {
  isEnough = true
})

function tell(said: object): void {
  process.stdout.write(`${JSON.stringify(said)}\n`)
}

function nth(n: number, lane: string, version: number): NewCommit {
  if (n % 4 === 0) return commitOf(lane, { claims: [{ kind: 'once', mark: `shared#${n}` }] })
  if (n % 4 === 1) return commitOf(lane, { claims: [{ kind: 'once', mark: `${lane}#${n}` }], stream: 'Thing:shared' })
  if (n % 4 === 2) return commitOf(lane) // nothing but its position tells that it is there
  return commitOf(lane, { stream: `Lane:${lane}`, version })
}

async function write(lane: number): Promise<void> {
  let version = 0
  for (let n = lane; n < commits && !isEnough; n += lanes) {
    const commit = nth(n, `${name}-${lane}`, version + 1)
    const told = await append(store, commit)
    if (told.position !== undefined && commit.events[0]?.version !== undefined) version += 1
    tell(told)
    if (told.code === 'STORE_UNAVAILABLE') await reachable()
  }
}

/** Resolves when the server answers: an outage must not use up the commits. Each try ends by the driver's own limit. */
async function reachable(): Promise<void> {
  for (;;) {
    try {
      await client.db(database).command({ ping: 1 })
      return
    } catch {
      // It is still away.
    }
  }
}

const opened: Opened = { opened: name }
tell(opened)
await Promise.all(Array.from({ length: lanes }, (_, lane) => write(lane)))
await store.close()
await client.close()
