import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { startServer } from '../../support/mongo-server.ts'
import { type Candidate, contest, type Turn } from '../contest.ts'
import type { Benchmark, Row } from '../report.ts'
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
    const server = await startServer({ durable: true })
    const rp = await started('rp-process.ts')
    const rows: Row[] = []
    try {
      for (const alg of ['RS256', 'ES256'] as const) {
        for (const rps of [1, 2_000]) {
          const setups = KINDS.map((kind) => ({ kind, alg, rps, rpPort: rp.said as number, uri: server.uri }))
          const senders = await Promise.all(
            setups.map((setup) => startSender({ ...setup, database: `dispatch_${alg}_${rps}` })),
          )
          const results = await contest(senders.map(candidate), TO, { rounds, turnMs })
          rows.push(...results.map((result) => ({ where: { alg, RPs: rps }, ...result })))
          for (const { process } of senders) process.kill()
        }
      }
    } finally {
      rp.process.kill()
      await server.stop()
    }
    return rows
  },
}

interface Sender {
  readonly kind: SenderKind
  readonly process: ChildProcess
}

async function startSender(setup: SenderSetup): Promise<Sender> {
  const { process } = await started('dispatcher-process.ts', JSON.stringify(setup))
  return { kind: setup.kind, process }
}

async function started(script: string, ...args: string[]): Promise<{ process: ChildProcess; said: unknown }> {
  const process = fork(fileURLToPath(new URL(script, import.meta.url)), args)
  const [said] = await once(process, 'message')
  return { process, said }
}

function candidate({ kind, process }: Sender): Candidate {
  let perSecond: number | undefined
  const send = async (deliveries: number): Promise<Turn> => {
    process.send(deliveries)
    const [turn] = await once(process, 'message')
    return turn as Turn
  }
  return {
    name: kind,
    turn: async (forMs) => {
      const first = perSecond ?? rateOf(await send(FIRST))
      const turn = await send(Math.max(FIRST, Math.round((first * forMs) / 1_000)))
      perSecond = rateOf(turn)
      return turn
    },
  }
}

function rateOf({ done, tookMs }: Turn): number {
  return (done * 1_000) / tookMs
}
