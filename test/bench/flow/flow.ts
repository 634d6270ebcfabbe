import { testClient } from '../../support/op.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'
import { type Candidate, contest, keepInFlight, type Turn } from '../contest.ts'
import { type Op, startOp, usageOf } from '../op/op.ts'
import type { OpKind } from '../op/op-process.ts'
import type { Benchmark, Row } from '../report.ts'
import { benchServer } from '../server.ts'
import { STEPS, type Step, wholeFlow } from './whole-flow.ts'

const TO: OpKind = 'CRUD adapter'
const KINDS: readonly OpKind[] = [
  TO,
  'this package',
  'this package, nothing held',
  'this package, with the plugin',
  'in memory',
]

/** Whole flows a second over HTTP, from login to logout, against an OP in a process of its own. */
export const flow: Benchmark = {
  name: 'flow',
  title: 'Whole flows a second, to a CRUD adapter',
  async run({ rounds, turnMs }): Promise<Row[]> {
    const server = await benchServer({ durable: true })
    const proxy = server.port === undefined ? undefined : await TcpProxy.start(server.port)
    proxy?.delay(1, 'request')
    const rows: Row[] = []
    try {
      const networks = [
        ['loopback', server.uri, [1, 8, 32]],
        ['1 ms', proxy?.uri(server.uri), [1, 32]],
      ] as const
      for (const [network, uri, loads] of networks) {
        if (uri === undefined) continue
        const kinds = network === 'loopback' ? KINDS : KINDS.slice(0, 3)
        const ops = await Promise.all(kinds.map((kind) => startTimedOp(kind, uri)))
        for (const inFlight of loads) {
          const counts = new Map<string, Costs>()
          if (network === 'loopback') for (const kind of kinds) counts.set(kind, await costsOf(kind, uri, inFlight))
          for (const op of ops) op.laps.clear()
          const results = await contest(
            ops.map((op) => candidate(op, inFlight)),
            TO,
            { rounds, turnMs: 2 * turnMs },
          )
          for (const [index, result] of results.entries()) {
            const details = { ...counts.get(result.name), ...stepsOf((ops[index] as TimedOp).laps) }
            rows.push({ where: { 'in flight': inFlight, network }, ...result, details })
          }
        }
        for (const { process } of ops) process.kill()
      }
    } finally {
      await proxy?.stop()
      await server.stop()
    }
    return rows
  },
}

/** An OP, and how long each step took. */
interface TimedOp extends Op {
  readonly laps: Map<Step, number[]>
}

/** What one flow costs. */
interface Costs {
  readonly commands: number
  readonly kilobytes: number
}

async function startTimedOp(kind: OpKind, uri: string, counted = false): Promise<TimedOp> {
  return { ...(await startOp({ kind, uri, counted })), laps: new Map() }
}

function candidate(op: TimedOp, inFlight: number): Candidate {
  return {
    name: op.kind,
    turn: async (forMs) => {
      const before = await usageOf(op)
      const turn = await drive(op, inFlight, forMs)
      return { ...turn, cpuMs: (await usageOf(op)).cpuMs - before.cpuMs } // the OP's, not that of its users
    },
  }
}

function drive(op: TimedOp, inFlight: number, forMs: number): Promise<Turn> {
  return keepInFlight(inFlight, forMs, async (walker) => {
    await wholeFlow(op, testClient('rp'), `user-${walker}`, (step, ms) => {
      const laps = op.laps.get(step)
      if (laps) laps.push(ms)
      else op.laps.set(step, [ms])
    })
    return 1
  })
}

/** Counted in a process of its own: counting takes time. */
async function costsOf(kind: OpKind, uri: string, inFlight: number): Promise<Costs> {
  const op = await startTimedOp(kind, uri, true)
  await drive(op, inFlight, 0)
  const before = await usageOf(op)
  const { done } = await drive(op, inFlight, inFlight === 1 ? 0 : 1_000)
  const after = await usageOf(op)
  op.process.kill()
  return {
    commands: (after.commands - before.commands) / done,
    kilobytes: (after.bytes - before.bytes) / done / 1_000,
  }
}

function stepsOf(laps: ReadonlyMap<Step, readonly number[]>): Record<string, number> {
  return Object.fromEntries(
    STEPS.flatMap((step) => {
      const sorted = (laps.get(step) ?? []).toSorted((a, b) => a - b)
      const at = (q: number): number => sorted[Math.floor(sorted.length * q)] ?? Number.NaN
      return [
        [`${step} p50 ms`, at(0.5)],
        [`${step} p99 ms`, at(0.99)],
      ]
    }),
  )
}
