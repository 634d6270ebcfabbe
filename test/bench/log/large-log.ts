import type { Db } from 'mongodb'
import { Collections } from '../../../adapters/mongodb/collections.ts'
import { MongoEventStore } from '../../../adapters/mongodb/index.ts'
import { loadMacKeys } from '../../../adapters/mongodb/mac-keys.ts'
import { ephemeralKeys, KeyRing, silent, systemClock } from '../../../lib/index.ts'

/** So many documents are inserted at a time. */
const BATCH = 2_000

/** So many commits name each stream. */
const COMMITS_A_STREAM = 10

/** About as much as the state of a token, sealed. */
const SEALED = 'x'.repeat(400)

const KEYS = ephemeralKeys()

/** Opens the log of a database in which `fill()` has put something, or nothing yet. */
export function openLargeLog(db: Db): Promise<MongoEventStore> {
  return MongoEventStore.open(db, { keys: KEYS, logger: silent })
}

/** Puts so many commits into a log, past the store: appending them would take its time. */
export async function fill(db: Db, commits: number): Promise<void> {
  const store = await openLargeLog(db)
  await store.close()
  const collections = new Collections(db, '', systemClock)
  const macs = await loadMacKeys(collections, new KeyRing(KEYS), (call) => collections.attempt(call))
  const at = new Date()
  const streams = streamsOf(commits)
  for (let first = 1; first <= commits; first += BATCH) {
    const documents = Array.from({ length: Math.min(BATCH, commits - first + 1) }, (_, index) => {
      const position = first + index
      const stream = `Thing:${position % streams}`
      const events = [{ s: stream, t: 'stored', d: { sealed: SEALED, generation: 0 } }]
      const document = { _id: BigInt(position), c: `c${position}`, s: [stream], e: events, m: { v: 1 }, at }
      return { ...document, _id: document._id as never, h: macs.sign(document) }
    })
    await db.collection('events').insertMany(documents, { ordered: false })
  }
  await db.collection('counters').updateOne({ _id: 'events' as never }, { $set: { n: BigInt(commits) } })
}

/** How many streams a log has that was filled with so many commits. */
function streamsOf(commits: number): number {
  return Math.max(1, commits / COMMITS_A_STREAM)
}

/** A stream of such a log, any of them. */
export function anyStream(commits: number): string {
  return `Thing:${Math.floor(Math.random() * streamsOf(commits))}`
}
