import { BenchProcess } from '../bench-process.ts'
import { type Candidate, contest, countedCandidate, type Rounds, type Turn } from '../contest.ts'
import type { Row } from '../report.ts'
import { Arrivals } from './arrivals.ts'
import type { EndedSession } from './deliver-process.ts'
import { OpFleet } from './op-fleet.ts'

const ALONE = 'the only process ends it and delivers'

/** Of each candidate's processes: whether they deliver. The last one ends the sessions. */
const FLEETS: Readonly<Record<string, readonly boolean[]>> = {
  [ALONE]: [true],
  'the process that ends it delivers, another one plans': [true, true],
  'another process delivers': [true, false],
}

/** So many logouts are measured at first. */
const FIRST = 3

/** From the commit that ends a session to the requests at its RPs, one logout at a time. */
export async function delays(uri: string, rounds: Rounds): Promise<Row[]> {
  const rps = await BenchProcess.start('../rps/rp-process.ts', import.meta.url, 'tell')
  const arrivals = new Arrivals(rps)
  const fleets: OpFleet[] = []
  try {
    const candidates: Candidate[] = []
    for (const [name, delivers] of Object.entries(FLEETS)) {
      const fleet = await OpFleet.start({ uri, rpPort: rps.firstMessage as number, delivers })
      fleets.push(fleet)
      candidates.push(countedCandidate(name, FIRST, (logouts) => oneAtATime(fleet, arrivals, logouts)))
    }
    const results = await contest(candidates, ALONE, rounds)
    return results.map((result) => ({
      where: { work: 'one logout at a time' },
      ...result,
      details: { 'p99 ms of all rounds': result.p99OfAllMs },
    }))
  } finally {
    for (const process of [...fleets, rps]) process.kill()
  }
}

async function oneAtATime(fleet: OpFleet, arrivals: Arrivals, logouts: number): Promise<Turn> {
  await fleet.askLast({ make: logouts })
  const eachMs: number[] = []
  const cpu = await fleet.cpuMs()
  const began = performance.now()
  for (let n = 0; n < logouts; n++) {
    const [ended] = await fleet.askLast<EndedSession[]>({ end: 1 })
    if (ended) eachMs.push(...(await arrivals.delaysMs(ended)))
  }
  const tookMs = performance.now() - began
  return { done: logouts, tookMs, cpuMs: (await fleet.cpuMs()) - cpu, eachMs }
}
