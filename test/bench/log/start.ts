import { MongoClient } from 'mongodb'
import { type Candidate, contest, keepInFlight } from '../contest.ts'
import type { Benchmark, Row } from '../report.ts'
import { benchServer, databaseOfRun } from '../server.ts'
import { fill, openLargeLog } from './large-log.ts'

const SIZES = { quick: [10_000, 100_000], whole: [10_000, 1_000_000] }
const TO = 10_000
const nameOf = (commits: number): string => `a log of ${commits.toLocaleString('en')} commits`

/** How often a second a log is opened and closed, by its size. */
export const start: Benchmark = {
  name: 'start',
  title: 'Logs opened a second, to one of 10,000 commits',
  async run({ rounds, turnMs, quick, commits: more }): Promise<Row[]> {
    const server = await benchServer({ durable: false })
    const client = await MongoClient.connect(server.uri)
    const sizes = [...(quick ? SIZES.quick : SIZES.whole), ...(more ? [more] : [])]
    const candidates: Candidate[] = []
    for (const commits of sizes) {
      const db = client.db(databaseOfRun(`start_${commits}`))
      await fill(db, commits)
      const open = async (): Promise<number> => {
        const store = await openLargeLog(db)
        await store.end()
        await store.close()
        return 1
      }
      candidates.push({ name: nameOf(commits), turn: (forMs) => keepInFlight(1, forMs, open) })
    }
    const results = await contest(candidates, nameOf(TO), { rounds, turnMs })
    await client.close()
    await server.stop()
    return results.map((result) => ({ where: {}, ...result }))
  },
}
