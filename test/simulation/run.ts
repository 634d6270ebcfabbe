// npm run simulate -- --seeds N [--from S]: the simulation of the log on MongoDB, for so many seeds. Ends at the first
// one that breaks an invariant, and says which.
import { parseArgs } from 'node:util'
import { stopSharedServer } from '../support/mongo-database.ts'
import { simulate } from './mongodb-log.ts'

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '20' }, from: { type: 'string', default: `${Date.now() % 2 ** 20}` } },
})
const from = Number(values.from)
try {
  for (let seed = from; seed < from + Number(values.seeds); seed += 1) {
    process.stdout.write(`seed ${seed}: `)
    process.stdout.write(`${JSON.stringify(await simulate(seed))}\n`)
  }
} finally {
  await stopSharedServer()
}
