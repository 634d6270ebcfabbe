// npm run simulate -- [--schedules | --consumers | --reads | --retention | --networks] [--seed N | --seeds N | --minutes M] [--from S]
// Simulations of the log: schedules of its protocol on MongoDB, and of consumers and work tables, on a server and a clock of
// the test's own; what processes read that follow the log; what is found with retention and without. All of these in turns,
// unless one is named. `--networks`: bad networks in front of a real server, which no seed plays twice alike.
// Ends at the first seed that breaks an invariant, and tells what happened; `--seed N` plays that one again.
import { parseArgs } from 'node:util'
import { stopSharedServer } from '../support/mongo-database.ts'
import { playConsumers } from './consumer-schedules.ts'
import { simulateReads } from './followed-reads.ts'
import { simulate } from './mongodb-log.ts'
import { addTo, type Played, ScheduleFailed } from './played.ts'
import { playRetention } from './retained-answers.ts'
import { playSchedule } from './schedules.ts'

const { values } = parseArgs({
  options: {
    schedules: { type: 'boolean', default: false },
    consumers: { type: 'boolean', default: false },
    reads: { type: 'boolean', default: false },
    retention: { type: 'boolean', default: false },
    networks: { type: 'boolean', default: false },
    seed: { type: 'string' },
    seeds: { type: 'string' },
    minutes: { type: 'string' },
    from: { type: 'string', default: `${Date.now() % 2 ** 20}` },
  },
})

/** How each is played, and so many seeds of it in its turn: each turn takes about as long. */
const KINDS: Record<string, { readonly play: (seed: number) => Promise<Played>; readonly turn: number }> = {
  schedules: { play: playSchedule, turn: 100 },
  consumers: { play: playConsumers, turn: 50 },
  reads: { play: simulateReads, turn: 1 },
  retention: { play: playRetention, turn: 5 },
}
const networks = async (seed: number): Promise<Played> => ({ trace: [], counts: { ...(await simulate(seed)) } })

const named = Object.entries(KINDS).filter(([kind]) => values[kind as 'reads'])
const kinds = values.networks
  ? [['networks', { play: networks, turn: 1 }] as const]
  : named.length > 0
    ? named
    : Object.entries(KINDS)
const from = Number(values.seed ?? values.from)
const turns = values.minutes === undefined ? 10 : Number.POSITIVE_INFINITY
const most = (turn: number): number => (values.seed === undefined ? Number(values.seeds ?? turns * turn) : 1)
const end = performance.now() + 60_000 * Number(values.minutes ?? Number.POSITIVE_INFINITY)
const began = process.cpuUsage()
const next = new Map(kinds.map(([kind]) => [kind, from]))
const sums = new Map(kinds.map(([kind]) => [kind, {} as Record<string, number>]))
let playing = ['', 0] as readonly [kind: string, seed: number]

async function takeTurn(kind: string, { play, turn }: (typeof KINDS)[string]): Promise<void> {
  const first = next.get(kind) as number
  const last = Math.min(first + turn, from + most(turn))
  for (let seed = first; seed < last && performance.now() < end; seed++) {
    playing = [kind, seed]
    const { counts, trace } = await play(seed)
    if (values.seed !== undefined) console.log(`${kind}, seed ${seed}\n${trace.join('\n')}\n`)
    addTo(sums.get(kind) as Record<string, number>, counts)
    next.set(kind, seed + 1)
  }
}

const isOver = (): boolean =>
  performance.now() >= end || kinds.every(([kind, { turn }]) => (next.get(kind) as number) >= from + most(turn))

try {
  while (!isOver()) for (const [kind, how] of kinds) await takeTurn(kind, how)
  for (const [kind, sum] of sums) {
    const figures = Object.entries(sum).map(([what, count]) => `${count.toLocaleString('en')} ${what}`)
    console.log(`${kind}, seeds from ${from}: ${figures.join(', ')}`)
  }
  const { user, system } = process.cpuUsage(began)
  console.log(`no invariant was broken, in ${Math.round((user + system) / 1e6)} s of CPU time`)
} catch (error) {
  const [kind, seed] = playing
  console.error(error instanceof ScheduleFailed ? error.message : error)
  console.error(`\nonce more: npm run simulate -- --${kind} --seed ${seed}`)
  process.exitCode = 1
} finally {
  await stopSharedServer()
}
