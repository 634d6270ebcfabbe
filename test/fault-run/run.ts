// npm run fault-run -- [--logouts 2000] [--processes 4] [--seed S]: people log out while processes of the OP and its
// database are killed. Prints what came of it; ends with 1 when anybody was not told, or anything else does not agree.
import { parseArgs } from 'node:util'
import { faultRun } from './fault-run.ts'

const SHOWN = 40

const { values } = parseArgs({
  options: {
    logouts: { type: 'string', default: '2000' },
    processes: { type: 'string', default: '4' },
    seed: { type: 'string', default: `${Date.now() % 2 ** 20}` },
    'every-ms': { type: 'string', default: '8000' },
    people: { type: 'string', default: '12' },
  },
})
const tell = (line: string): void => void process.stdout.write(`${line}\n`)
const { figures, violations } = await faultRun({
  logouts: Number(values.logouts),
  processes: Number(values.processes),
  seed: Number(values.seed),
  everyMs: Number(values['every-ms']),
  people: Number(values.people),
  tell,
})
const widest = Math.max(...Object.keys(figures).map(({ length }) => length))
for (const [name, figure] of Object.entries(figures)) tell(`${name.padEnd(widest)}  ${figure}`)
for (const violation of violations.slice(0, SHOWN)) tell(`VIOLATION: ${violation}`)
tell(violations.length === 0 ? 'everything agrees' : `${violations.length} violations; the same seed decides the same`)
process.exitCode = violations.length === 0 ? 0 : 1
