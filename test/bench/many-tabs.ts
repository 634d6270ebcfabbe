// `npm run bench:tabs`: many tabs of one browser renew silently at once, at two processes on one MongoDB: on a plain CRUD
// adapter and on the log, in turns on the same server. What counts is the ratio.
import { portOutsideEphemeralRange } from '../support/free-port.ts'
import { Front } from '../support/front.ts'
import { startServer } from '../support/mongo-server.ts'
import { Person } from '../support/op.ts'
import type { BenchProcess } from './bench-process.ts'
import { startOpProcess } from './op/op.ts'
import type { OpKind } from './op/op-process.ts'

const ROUNDS = 8
const TABS = 100

interface Contestant {
  readonly kind: OpKind
  readonly processes: readonly BenchProcess[]
  readonly front: Front
  readonly person: Person
  readonly tookMs: number[]
  failed: number
}

const server = await startServer({ durable: true })
console.log(`server: ${server.kind}; ${ROUNDS} rounds of ${TABS} tabs, in turns`)
const contestants = [await contestant('CRUD adapter'), await contestant('this package')]
try {
  for (let round = 0; round < ROUNDS; round++) {
    for (const one of round % 2 ? contestants.toReversed() : contestants) await renew(one)
  }
  const [crud, log] = contestants.map(({ tookMs }) => median(tookMs)) as [number, number]
  for (const { kind, failed } of contestants) console.log(`${kind}: ${failed} of ${ROUNDS * TABS} tabs got no code`)
  console.log(`the log takes ${(log / crud).toFixed(2)} times as long as the plain adapter`)
} finally {
  for (const { processes, front } of contestants) {
    for (const process of processes) process.kill()
    await front.stop()
  }
  await server.stop()
}

async function contestant(kind: OpKind): Promise<Contestant> {
  const front = await Front.start()
  const issuer = `http://127.0.0.1:${front.port}`
  const ports = [await portOutsideEphemeralRange(), await portOutsideEphemeralRange()]
  const database = `tabs_${kind}_${front.port}`
  const processes = await Promise.all(
    ports.map((port) => startOpProcess({ kind, uri: server.uri, database, port, issuer })),
  )
  front.leadTo(ports)
  const person = new Person({ issuer })
  await person.authorize('rp')
  return { kind, processes, front, person, tookMs: [], failed: 0 }
}

async function renew(one: Contestant): Promise<void> {
  const { person } = one
  const began = performance.now()
  const answers = await Promise.all(
    Array.from({ length: TABS }, () => person.agent.clone().get(person.authorizationUrl('rp', { prompt: 'none' }))),
  )
  one.tookMs.push(performance.now() - began)
  one.failed += answers.filter(({ headers }) => !headers.get('location')?.includes('code=')).length
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
