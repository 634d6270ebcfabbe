import { randomBytes } from 'node:crypto'
import type { Db, MongoClient } from 'mongodb'
import { MongoEventStore } from '../../../adapters/mongodb/index.ts'
import type { NewCommit } from '../../../lib/index.ts'
import { KEYS } from '../keys.ts'

/** What is sealed of an access token. */
const SEALED = randomBytes(600).toString('base64url')

/** Writes one thing, or several, and returns how many. */
export type Write = () => Promise<number>

/** A way to write what an access token is when it is issued: found by its id, and under its grant. */
export interface Kind {
  readonly write: Write
  /** So many calls at a time for so many things in flight. Default: as many. */
  readonly callsFor?: (inFlight: number) => number
}

const KINDS: Record<string, (client: MongoClient, database: string) => Promise<Kind>> = {
  'this package': async (client, database) => {
    const store = await MongoEventStore.open(client.db(database), { keys: KEYS })
    return { write: () => store.append(commit()).then(() => 1) }
  },
  'CRUD upsert': async (client, database) => {
    const tokens = client.db(database).collection<{ _id: string }>('AccessToken')
    await tokens.createIndexes([{ key: { expiresAt: 1 }, expireAfterSeconds: 0 }, { key: { 'payload.grantId': 1 } }])
    return {
      write: async () => {
        const { id, grant } = names()
        const payload = { grantId: grant, kind: 'AccessToken', sealed: SEALED }
        const set = { payload, expiresAt: new Date(Date.now() + 3_600_000) }
        await tokens.updateOne({ _id: id }, { $set: set }, { upsert: true })
        return 1
      },
    }
  },
  'one counter and one insert an event': async (client, database) => {
    const { counters, events } = await eventsOf(client.db(database))
    await counters.insertOne({ _id: 'events', n: 0 }).catch(() => {}) // another process was faster
    return {
      write: async () => {
        const counter = await counters.findOneAndUpdate(
          { _id: 'events' },
          { $inc: { n: 1 } },
          { returnDocument: 'after' },
        )
        await events.insertOne({ ...document(), _id: Number(counter?.n) })
        return 1
      },
    }
  },
  'insertMany of 100': (client, database) => insertMany(client.db(database), 100),
  'insertMany of 500': (client, database) => insertMany(client.db(database), 500),
}

/** Everything that needs no package of its own. */
export const OWN_KINDS: readonly string[] = Object.keys(KINDS)

export function kindOf(kind: string, client: MongoClient, database: string): Promise<Kind> {
  const make = KINDS[kind]
  if (!make) throw new Error(`there is no ${kind}: ${OWN_KINDS.join(', ')}`)
  return make(client, database)
}

/** The ceiling: whole batches, two of them in flight. */
async function insertMany(db: Db, size: number): Promise<Kind> {
  const { events } = await eventsOf(db)
  let next = process.pid * 100_000_000
  return {
    callsFor: () => 2,
    write: async () => {
      const documents = Array.from({ length: size }, () => ({ ...document(), _id: next++ }))
      await events.insertMany(documents, { ordered: false })
      return size
    },
  }
}

async function eventsOf(db: Db) {
  const events = db.collection<{ _id: number }>('events')
  await events.createIndexes([{ key: { s: 1, _id: -1 } }, { key: { k: 1 }, unique: true, sparse: true }])
  return { events, counters: db.collection<{ _id: string; n: number }>('counters') }
}

function names(): { id: string; grant: string } {
  return {
    id: `AccessToken:${randomBytes(32).toString('base64url')}`,
    grant: `Grant:${randomBytes(32).toString('base64url')}`,
  }
}

function commit(): NewCommit {
  const { id, grant } = names()
  const data = { model: 'AccessToken', exp: 2_000_000_000, client_id: 'rp', sealed: SEALED }
  return { events: [{ stream: id, also: [grant], type: 'stored', data }], meta: { instance: 'https://op.example.com' } }
}

/** The same as this package writes it. */
function document(): object {
  const { id, grant } = names()
  const data = { model: 'AccessToken', exp: 2_000_000_000, client_id: 'rp', sealed: SEALED }
  return {
    c: randomBytes(12).toString('base64url'),
    s: [id, grant],
    e: [{ s: id, a: [grant], t: 'stored', d: data }],
    m: { v: 1, instance: 'https://op.example.com' },
    at: new Date(),
  }
}
