import { BenchProcess } from '../bench-process.ts'
import { type Candidate, contest, countedCandidate, type Rounds, type Turn } from '../contest.ts'
import type { Row } from '../report.ts'
import { Arrivals } from './arrivals.ts'
import type { EndedSession } from './deliver-process.ts'
import { OpFleet, RPS } from './op-fleet.ts'

const ALL_ANSWER = 'all RPs answer'
const SOME_HANG = 'a third of the RPs never answers'

const IN_FLIGHT = 8

/** So many sessions end at first. */
const FIRST = 40

/** What RPs that never answer cost the others: only the tokens to the two thirds that answer are counted. */
export async function hanging(uri: string, rounds: Rounds): Promise<Row[]> {
  const rps = await BenchProcess.start('../rps/rp-process.ts', import.meta.url, 'tell')
  const arrivals = new Arrivals(rps)
  const setup = { uri, rpPort: rps.firstMessage as number, delivers: [true] }
  const well = await OpFleet.start(setup)
  const some = await OpFleet.start({ ...setup, lastThird: 'never' })
  try {
    const candidates = [candidate(ALL_ANSWER, well, arrivals), candidate(SOME_HANG, some, arrivals)]
    const results = await contest(candidates, ALL_ANSWER, rounds)
    return results.map((result) => ({
      where: { work: `${IN_FLIGHT} logouts at a time` },
      ...result,
      details: {
        'p99 ms of all rounds': result.p99OfAllMs,
        'p99, times': result.p99OfAllMs / (results[0]?.p99OfAllMs ?? Number.NaN),
      },
    }))
  } finally {
    for (const process of [well, some, rps]) process.kill()
  }
}

function candidate(name: string, fleet: OpFleet, arrivals: Arrivals): Candidate {
  return countedCandidate(name, FIRST, async (sessions): Promise<Turn> => {
    await fleet.askLast({ make: sessions })
    const cpu = await fleet.cpuMs()
    const began = performance.now()
    const ended = await fleet.askLast<EndedSession[]>({ end: sessions, inFlight: IN_FLIGHT })
    const eachMs = (await Promise.all(ended.map((one) => arrivals.delaysMs(one, isWell)))).flat()
    const tookMs = performance.now() - began
    return { done: sessions, tookMs, cpuMs: (await fleet.cpuMs()) - cpu, eachMs }
  })
}

/** Whether the RP answers in both candidates. */
function isWell(clientId: string): boolean {
  return Number(clientId.replace('rp-', '')) < (2 / 3) * RPS
}
