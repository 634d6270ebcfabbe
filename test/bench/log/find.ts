import { MongoClient } from 'mongodb'
import { type Candidate, contest, keepInFlight } from '../contest.ts'
import type { Benchmark, Row } from '../report.ts'
import { benchServer, databaseOfRun } from '../server.ts'
import { anyStream, fill, openLargeLog } from './large-log.ts'

const SIZES = { quick: [10_000, 100_000], whole: [10_000, 100_000, 1_000_000] }
const TO = 10_000
const nameOf = (commits: number): string => `in ${commits.toLocaleString('en')} commits`

/** Look-ups a second, of a stream nobody has read before, in logs of several sizes. */
export const find: Benchmark = {
  name: 'find',
  title: 'Look-ups a second, to a log of 10,000 commits',
  async run({ rounds, turnMs, quick, commits: more }): Promise<Row[]> {
    const server = await benchServer({ durable: false })
    const client = await MongoClient.connect(server.uri)
    const sizes = [...(quick ? SIZES.quick : SIZES.whole), ...(more ? [more] : [])]
    const logs = await Promise.all(
      sizes.map(async (commits) => {
        const db = client.db(databaseOfRun(`find_${commits}`))
        await fill(db, commits)
        return { commits, store: await openLargeLog(db) }
      }),
    )
    const rows: Row[] = []
    for (const inFlight of [1, 32]) {
      const candidates = logs.map(({ commits, store }): Candidate => {
        const look = (): Promise<unknown> =>
          store.readStreams([anyStream(commits)], { direction: 'backwards', limit: 16 })
        return { name: nameOf(commits), turn: (forMs) => keepInFlight(inFlight, forMs, () => look().then(() => 1)) }
      })
      const results = await contest(candidates, nameOf(TO), { rounds, turnMs })
      rows.push(...results.map((result) => ({ where: { 'in flight': inFlight }, ...result })))
    }
    for (const { store } of logs) await store.close()
    await client.close()
    await server.stop()
    return rows
  },
}
