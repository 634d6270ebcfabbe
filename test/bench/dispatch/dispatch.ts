import { BenchProcess } from '../bench-process.ts'
import { type Candidate, contest, countedCandidate, type Turn } from '../contest.ts'
import type { Benchmark, Row } from '../report.ts'
import { benchServer, databaseOfRun } from '../server.ts'
import type { SenderKind, SenderSetup } from './dispatcher-process.ts'

const TO: SenderKind = 'a loop of sign and fetch'
const KINDS: readonly SenderKind[] = [TO, 'a loop of sign and undici.request', 'this package']

/** So many are sent at first, to learn how many a turn has. */
const FIRST = 300

/** Logout tokens a second, from the work table to RPs that confirm each at once. */
export const dispatch: Benchmark = {
  name: 'dispatch',
  title: 'Logout tokens a second, to a bare loop of sign and fetch',
  async run({ rounds, turnMs }): Promise<Row[]> {
    const server = await benchServer({ durable: true })
    const rp = await BenchProcess.start('../rps/rp-process.ts', import.meta.url)
    const rows: Row[] = []
    try {
      for (const alg of ['RS256', 'ES256'] as const) {
        for (const rps of [1, 2_000]) {
          const setups = KINDS.map((kind) => ({ kind, alg, rps, rpPort: rp.firstMessage as number, uri: server.uri }))
          const senders = await Promise.all(
            setups.map((setup) => startSender({ ...setup, database: databaseOfRun(`dispatch_${alg}_${rps}`) })),
          )
          const results = await contest(senders.map(candidate), TO, { rounds, turnMs })
          rows.push(...results.map((result) => ({ where: { alg, RPs: rps }, ...result })))
          for (const { process } of senders) process.kill()
        }
      }
    } finally {
      rp.kill()
      await server.stop()
    }
    return rows
  },
}

interface Sender {
  readonly kind: SenderKind
  readonly process: BenchProcess
}

async function startSender(setup: SenderSetup): Promise<Sender> {
  const process = await BenchProcess.start('dispatcher-process.ts', import.meta.url, JSON.stringify(setup))
  return { kind: setup.kind, process }
}

function candidate({ kind, process }: Sender): Candidate {
  return countedCandidate(kind, FIRST, (deliveries) => process.ask<Turn>(deliveries))
}
