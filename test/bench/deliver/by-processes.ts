import { BenchProcess } from '../bench-process.ts'
import { type Candidate, contest, countedCandidate, type Rounds, type Turn } from '../contest.ts'
import type { Row } from '../report.ts'
import type { Requests } from '../rps/rp-process.ts'
import { OpFleet } from './op-fleet.ts'

const ONE = 'one process'
const TWO = 'two processes'

/** So many are sent at first. */
const FIRST = 300

/** Logout tokens a second of a backlog, by one process and by two that share the log. */
export async function byProcesses(uri: string, rounds: Rounds): Promise<Row[]> {
  const rps = await BenchProcess.start('../rps/rp-process.ts', import.meta.url)
  const setup = { uri, rpPort: rps.firstMessage as number }
  const one = await OpFleet.start({ ...setup, delivers: [true] })
  const two = await OpFleet.start({ ...setup, delivers: [true, true] })
  try {
    const results = await contest([candidate(ONE, one, rps), candidate(TWO, two, rps)], ONE, rounds)
    return results.map(({ p50Ms: _, p99Ms: __, ...result }) => ({ where: { work: 'a backlog' }, ...result }))
  } finally {
    for (const process of [one, two, rps]) process.kill()
  }
}

function candidate(name: string, fleet: OpFleet, rps: BenchProcess): Candidate {
  return countedCandidate(name, FIRST, async (deliveries): Promise<Turn> => {
    const arrived = rps.ask<Requests>(deliveries)
    await fleet.askLast({ add: deliveries })
    const cpu = await fleet.cpuMs()
    const began = performance.now()
    await fleet.askAll({ wake: true })
    await arrived
    const tookMs = performance.now() - began
    await fleet.askLast({ settle: true })
    return { done: deliveries, tookMs, cpuMs: (await fleet.cpuMs()) - cpu, eachMs: [] }
  })
}
