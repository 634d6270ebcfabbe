// npm run simulate -- [--reads | --retention | --networks] [--seed N | --seeds N | --minutes M] [--from S]
// Simulations of the log on MongoDB: schedules of its protocol on a server and a clock of the test's own (default: 1,000),
// of what processes read of it (1,000 steps a seed), of what is found with retention and without, or of bad networks in front of a real server. Ends at the first seed
// that breaks an invariant, and tells what happened; `--seed N` plays that one again.
import { parseArgs } from 'node:util'
import { stopSharedServer } from '../support/mongo-database.ts'
import { simulateReads } from './followed-reads.ts'
import { simulate } from './mongodb-log.ts'
import { playRetention } from './retained-answers.ts'
import { playSchedule, ScheduleFailed } from './schedules.ts'

const { values } = parseArgs({
  options: {
    reads: { type: 'boolean', default: false },
    networks: { type: 'boolean', default: false },
    retention: { type: 'boolean', default: false },
    seed: { type: 'string' },
    seeds: { type: 'string' },
    minutes: { type: 'string' },
    from: { type: 'string', default: `${Date.now() % 2 ** 20}` },
  },
})
const KINDS = {
  schedules: { play: playSchedule, seeds: 1_000 },
  reads: { play: (seed: number) => simulateReads(seed, 1_000), seeds: 20 },
  networks: { play: simulate, seeds: 20 },
  retention: { play: playRetention, seeds: 300 },
}
const kind = values.reads ? 'reads' : values.networks ? 'networks' : values.retention ? 'retention' : 'schedules'
const { play, seeds: usual } = KINDS[kind]
const from = Number(values.seed ?? values.from)
const most = values.minutes === undefined ? usual : Number.POSITIVE_INFINITY
const seeds = values.seed === undefined ? Number(values.seeds ?? most) : 1
const end = performance.now() + 60_000 * Number(values.minutes ?? Number.POSITIVE_INFINITY)
let seed = from
try {
  for (; seed < from + seeds && performance.now() < end; seed += 1) {
    const did = await play(seed)
    if (kind !== 'schedules' || seeds === 1) console.log(`seed ${seed}: ${JSON.stringify(did)}`)
  }
  console.log(`${seed - from} seeds from ${from}: no invariant was broken`)
} catch (error) {
  console.error(error instanceof ScheduleFailed ? error.message : error)
  console.error(`\nonce more: npm run simulate -- ${kind === 'schedules' ? '' : `--${kind} `}--seed ${seed}`)
  process.exitCode = 1
} finally {
  await stopSharedServer()
}
