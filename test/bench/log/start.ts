import { MongoClient } from 'mongodb'
import { startServer } from '../../support/mongo-server.ts'
import { type Candidate, contest, keepInFlight } from '../contest.ts'
import type { Benchmark, Row } from '../report.ts'
import { fill, openLargeLog } from './large-log.ts'

const SIZES: readonly number[] = [10_000, 1_000_000]
const nameOf = (commits: number): string => `a log of ${commits.toLocaleString('en')} commits`

/** How often a second a log is opened and closed, by its size. */
export const start: Benchmark = {
  name: 'start',
  title: 'Logs opened a second, to one of 10,000 commits',
  async run({ rounds, turnMs }): Promise<Row[]> {
    const server = await startServer({ durable: false })
    const client = await MongoClient.connect(server.uri)
    const candidates: Candidate[] = []
    for (const commits of SIZES) {
      const db = client.db(`start_${commits}`)
      await fill(db, commits)
      const open = async (): Promise<number> => {
        const store = await openLargeLog(db)
        await store.end()
        await store.close()
        return 1
      }
      candidates.push({ name: nameOf(commits), turn: (forMs) => keepInFlight(1, forMs, open) })
    }
    const results = await contest(candidates, nameOf(SIZES[0] as number), { rounds, turnMs })
    await client.close()
    await server.stop()
    return results.map((result) => ({ where: {}, ...result }))
  },
}
