import type { ClientMetadata } from 'oidc-provider'
import { Person } from '../../support/op.ts'
import { BenchProcess } from '../bench-process.ts'
import { type Candidate, contest, type Result, type Turn } from '../contest.ts'
import { type Op, startOp, usageOf } from '../op/op.ts'
import type { OpKind } from '../op/op-process.ts'
import type { Benchmark, Row } from '../report.ts'
import { type RpAnswer, rpClient } from '../rps/rp-client.ts'
import { benchServer } from '../server.ts'

const TO = 'feature off'
const CANDIDATES: Readonly<Record<string, OpKind>> = {
  [TO]: 'this package',
  'this package': 'this package, with the plugin',
  "oidc-provider's own": 'CRUD adapter, back-channel logout of oidc-provider',
}
const SIZES: readonly number[] = [1, 5, 20]
const ANSWERS: readonly RpAnswer[] = ['at once', 'slowly', 'never'] // the last one: what it leaves behind disturbs nobody

/** How long a user waits who logs out, by how many RPs there are to tell and how they answer. */
export const logout: Benchmark = {
  name: 'logout',
  title: 'Logouts a second for one user, to the feature off',
  async run({ rounds, turnMs, quick }): Promise<Row[]> {
    const server = await benchServer({ durable: true })
    const rps = await BenchProcess.start('../rps/rp-process.ts', import.meta.url)
    const port = rps.firstMessage as number
    const clients = ANSWERS.flatMap((answers) =>
      idsOf(answers, Math.max(...SIZES)).map((id, index) => rpClient(id, index, { port, answers })),
    )
    const ops = await startOps(server.uri, clients)
    const rows: Row[] = []
    try {
      for (const answers of ANSWERS) {
        for (const size of SIZES) {
          const candidates = ops.map(([name, op]) => candidate(name, op, idsOf(answers, size)))
          const results = await contest(candidates, TO, { rounds, turnMs: turnMs / (quick ? 3 : 2) })
          rows.push(...results.map((result) => rowOf(result, { RPs: size, 'they answer': answers })))
        }
      }
    } finally {
      for (const [, { process }] of ops) process.kill()
      rps.kill()
      await server.stop()
    }
    return rows
  },
}

function startOps(uri: string, clients: readonly ClientMetadata[]): Promise<[string, Op][]> {
  const entries = Object.entries(CANDIDATES)
  return Promise.all(
    entries.map(
      async ([name, kind]): Promise<[string, Op]> => [name, await startOp({ kind, uri, clients, consented: true })],
    ),
  )
}

function rowOf(result: Result, where: Row['where']): Row {
  return { where, ...result, details: { 'p99 ms of all rounds': result.p99OfAllMs } }
}

function idsOf(answers: RpAnswer, size: number): string[] {
  return Array.from({ length: size }, (_, index) => `${answers.replace(' ', '-')}-${index}`)
}

/** One user after the other logs in at all RPs, and out. Only the request that ends the session is counted. */
function candidate(name: string, op: Op, clientIds: readonly string[]): Candidate {
  return {
    name,
    turn: async (forMs): Promise<Turn> => {
      const eachMs: number[] = []
      let cpuMs = 0
      const began = performance.now()
      do {
        const person = new Person(op)
        for (const id of clientIds) await person.authorize(id)
        const page = await person.endSession()
        const before = await usageOf(op)
        const confirmed = performance.now()
        const { status } = await person.confirm(page)
        eachMs.push(performance.now() - confirmed)
        cpuMs += (await usageOf(op)).cpuMs - before.cpuMs
        if (status !== 303) throw new Error(`the logout ended with HTTP ${status}`)
      } while (performance.now() < began + forMs)
      const tookMs = eachMs.reduce((total, ms) => total + ms, 0)
      return { done: eachMs.length, tookMs, cpuMs, eachMs }
    },
  }
}
