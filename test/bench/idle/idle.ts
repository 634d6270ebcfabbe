import { setTimeout as sleep } from 'node:timers/promises'
import { testClient } from '../../support/op.ts'
import { wholeFlow } from '../flow/whole-flow.ts'
import { type Op, startOp, usageOf } from '../op/op.ts'
import type { OpKind } from '../op/op-process.ts'
import type { Benchmark, Row } from '../report.ts'
import { benchServer } from '../server.ts'

const KINDS: readonly OpKind[] = ['CRUD adapter', 'this package', 'this package, with the plugin']

/** What follows from the start and from a flow is over by then. */
const SETTLED_MS = 8_000

/** What an OP sends to the database while nobody asks it anything; all of them are watched at the same time. */
export const idle: Benchmark = {
  name: 'idle',
  title: 'Commands of an idle process',
  async run({ quick }): Promise<Row[]> {
    const server = await benchServer({ durable: true })
    const ops = await Promise.all(KINDS.map((kind) => startOp({ kind, uri: server.uri, counted: true })))
    try {
      for (const op of ops) await wholeFlow(op, testClient('rp'), 'user')
      await sleep(SETTLED_MS)
      return await Promise.all(ops.map((op) => watch(op, quick ? 10_000 : 20_000)))
    } finally {
      for (const { process } of ops) process.kill()
      await server.stop()
    }
  },
}

async function watch(op: Op, forMs: number): Promise<Row> {
  const before = await usageOf(op)
  const began = performance.now()
  await sleep(forMs)
  const after = await usageOf(op)
  const seconds = (performance.now() - began) / 1_000
  const details = {
    'commands a second': (after.commands - before.commands) / seconds,
    'bytes a second': (after.bytes - before.bytes) / seconds,
    'CPU ms a second': (after.cpuMs - before.cpuMs) / seconds,
  }
  return { name: op.kind, where: {}, details }
}
