import { MongoClient } from 'mongodb'
import { type Candidate, contest, type Turn } from '../contest.ts'
import type { Benchmark, Row } from '../report.ts'
import { benchServer, databaseOfRun } from '../server.ts'
import { fill, openLargeLog } from './large-log.ts'

const COMMITS = { quick: 200_000, whole: 1_000_000 }
const CURSOR = 'a cursor of the driver over the collection'
const OURS = 'a subscription'
const TEN = 'ten subscriptions'

/** Commits a second, from the log's beginning. */
export const follow: Benchmark = {
  name: 'follow',
  title: 'Commits a second, to a cursor over the collection',
  async run({ rounds, turnMs, quick }): Promise<Row[]> {
    const server = await benchServer({ durable: false })
    const client = await MongoClient.connect(server.uri)
    const db = client.db(databaseOfRun('follow'))
    const commits = quick ? COMMITS.quick : COMMITS.whole
    await fill(db, commits)
    const store = await openLargeLog(db)
    const subscribe = async (until: number): Promise<number> => {
      let done = 0
      for await (const batch of store.subscribe({ after: 0 })) {
        done += batch.length
        if (done >= commits || performance.now() >= until) break
      }
      return done
    }
    const cursor = async (until: number): Promise<number> => {
      let done = 0
      const options = { sort: { _id: 1 }, batchSize: 500, readConcern: { level: 'majority' } } as const
      for await (const _ of db.collection('events').find({}, options))
        if (++done % 500 === 0 && performance.now() >= until) break
      return done
    }
    const candidates: readonly Candidate[] = [
      { name: CURSOR, turn: (forMs) => timed((until) => cursor(until), forMs) },
      { name: OURS, turn: (forMs) => timed((until) => subscribe(until), forMs) },
      {
        name: TEN,
        turn: (forMs) => timed(async (until) => sum(await Promise.all(ten(() => subscribe(until)))), forMs),
      },
    ]
    const results = await contest(candidates, CURSOR, { rounds, turnMs })
    const details = new Map([[OURS, await delays(store)]])
    await store.close()
    await client.close()
    await server.stop()
    return results.map((result) => ({ where: {}, ...result, details: details.get(result.name) ?? {} }))
  },
}

async function timed(work: (until: number) => Promise<number>, forMs: number): Promise<Turn> {
  const cpu = process.cpuUsage()
  const started = performance.now()
  const done = await work(started + forMs)
  const { user, system } = process.cpuUsage(cpu)
  return { done, tookMs: performance.now() - started, cpuMs: (user + system) / 1_000, eachMs: [] }
}

/** How long after its acknowledgement a commit is delivered, in the same process. */
async function delays(store: Awaited<ReturnType<typeof openLargeLog>>): Promise<Record<string, number>> {
  const delivered = new Map<number, number>()
  const stopping = new AbortController()
  const after = await store.end()
  const following = (async () => {
    for await (const commits of store.subscribe({ after, signal: stopping.signal }))
      for (const { position } of commits) delivered.set(position, performance.now())
  })()
  const waits: number[] = []
  for (let n = 0; n < 200; n++) {
    const { position } = await store.append({ events: [{ stream: `New:${n}`, type: 'stored', data: {} }] })
    const acknowledged = performance.now()
    while (!delivered.has(position)) await new Promise((resolve) => setImmediate(resolve))
    waits.push((delivered.get(position) as number) - acknowledged)
  }
  stopping.abort()
  await following
  waits.sort((a, b) => a - b)
  return { 'delay p50 ms': waits[100] as number, 'delay p99 ms': waits[198] as number }
}

function ten<T>(make: () => T): T[] {
  return Array.from({ length: 10 }, make)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
