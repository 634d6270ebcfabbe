// npm run simulate -- --seeds N [--from S] [--reads]: the simulation of the log on MongoDB, for so many seeds, or of what
// processes read of it (1,000 steps a seed). Ends at the first one that breaks an invariant, and says which.
import { parseArgs } from 'node:util'
import { stopSharedServer } from '../support/mongo-database.ts'
import { simulateReads } from './followed-reads.ts'
import { simulate } from './mongodb-log.ts'

const { values } = parseArgs({
  options: {
    reads: { type: 'boolean', default: false },
    seeds: { type: 'string', default: '20' },
    from: { type: 'string', default: `${Date.now() % 2 ** 20}` },
  },
})
const from = Number(values.from)
try {
  for (let seed = from; seed < from + Number(values.seeds); seed += 1) {
    process.stdout.write(`seed ${seed}: `)
    process.stdout.write(`${JSON.stringify(await (values.reads ? simulateReads(seed, 1_000) : simulate(seed)))}\n`)
  }
} finally {
  await stopSharedServer()
}
