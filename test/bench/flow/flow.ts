// `npm run bench`: whole flows a second, on a plain CRUD adapter and on the log, in turns on the same server. What
// counts is the ratio: figures of different runs or machines say nothing about each other.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { portOutsideEphemeralRange } from '../../support/free-port.ts'
import { startServer } from '../../support/mongo-server.ts'
import { testClient } from '../../support/op.ts'
import { TcpProxy } from '../../support/tcp-proxy.ts'
import { wholeFlow } from './whole-flow.ts'

const ROUNDS = 6
const SECONDS = 4

interface Contestant {
  readonly kind: string
  readonly issuer: string
  readonly process: ChildProcess
  readonly rates: number[]
}

const server = await startServer({ durable: true })
console.log(`server: ${server.kind}; ${ROUNDS} rounds of ${SECONDS} s each, in turns`)
const proxy = await TcpProxy.start(server.port)
proxy.delay(1, 'request')
const near = [await contestant('crud', server.uri), await contestant('eventstore', server.uri)]
const far = [await contestant('crud', proxy.uri(server.uri)), await contestant('eventstore', proxy.uri(server.uri))]
try {
  for (const one of near) await costOfOne(one)
  for (const inFlight of [1, 32]) await race(near, inFlight, 'database on the same machine')
  await race(far, 1, 'database 1 ms away')
} finally {
  for (const { process } of [...near, ...far]) process.kill()
  await proxy.stop()
  await server.stop()
}

async function contestant(kind: string, uri: string): Promise<Contestant> {
  const port = await portOutsideEphemeralRange()
  const script = fileURLToPath(new URL('op-process.ts', import.meta.url))
  const process = fork(script, [kind, uri, `bench_${kind}_${port}`, String(port)])
  await once(process, 'message')
  return { kind, issuer: `http://127.0.0.1:${port}`, process, rates: [] }
}

async function count({ process }: Contestant): Promise<{ commands: number; documents: number }> {
  process.send('count')
  const [answer] = await once(process, 'message')
  return answer as { commands: number; documents: number }
}

/** Commands of a flow, and documents that it leaves. */
async function costOfOne(one: Contestant): Promise<void> {
  await wholeFlow(one, testClient('rp'), 'warm-up')
  const before = await count(one)
  await wholeFlow(one, testClient('rp'), 'counted')
  const after = await count(one)
  const { commands, documents } = {
    commands: after.commands - before.commands,
    documents: after.documents - before.documents,
  }
  console.log(`${one.kind}: ${commands} commands a flow, ${documents} documents left`)
}

async function race(contestants: readonly Contestant[], inFlight: number, where: string): Promise<void> {
  for (const one of contestants) one.rates.length = 0
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of round % 2 ? contestants.toReversed() : contestants) one.rates.push(await rate(one, inFlight))
  }
  const [crud, eventstore] = contestants.map(({ rates }) => median(rates)) as [number, number]
  const [first, second] = contestants
  const ratios = (second?.rates ?? []).map((value, round) => value / (first?.rates[round] ?? Number.NaN))
  console.log(
    `${inFlight} in flight, ${where}: crud ${crud.toFixed(1)}/s, eventstore ${eventstore.toFixed(1)}/s; ` +
      `ratio ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)})`,
  )
}

async function rate(one: Contestant, inFlight: number): Promise<number> {
  let done = 0
  const started = performance.now()
  const until = started + SECONDS * 1_000
  const walk = async (walker: number): Promise<void> => {
    while (performance.now() < until) {
      await wholeFlow(one, testClient('rp'), `user-${walker}`)
      done++
    }
  }
  await Promise.all(Array.from({ length: inFlight }, (_, walker) => walk(walker)))
  return (done * 1_000) / (performance.now() - started)
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
