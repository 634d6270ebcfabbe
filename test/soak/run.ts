// npm run soak -- [--minutes 10] [--processes 2] [--people 8] [--seed S]: people log in and out without a pause, and nothing
// disturbs them. Prints what came of it; ends with 1 when anybody was turned away or not told, when something grows, or
// when anything does not agree.
import { parseArgs } from 'node:util'
import { soak } from './soak.ts'

const SHOWN = 40

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    processes: { type: 'string', default: '2' },
    people: { type: 'string', default: '8' },
    seed: { type: 'string', default: `${Date.now() % 2 ** 20}` },
  },
})
const tell = (line: string): void => void process.stdout.write(`${line}\n`)
const { figures, violations } = await soak({
  minutes: Number(values.minutes),
  processes: Number(values.processes),
  people: Number(values.people),
  seed: Number(values.seed),
  lookMs: 10_000,
  tell,
})
const widest = Math.max(...Object.keys(figures).map(({ length }) => length))
for (const [name, figure] of Object.entries(figures)) tell(`${name.padEnd(widest)}  ${figure}`)
for (const violation of violations.slice(0, SHOWN)) tell(`VIOLATION: ${violation}`)
tell(violations.length === 0 ? 'everything agrees' : `${violations.length} violations`)
process.exitCode = violations.length === 0 ? 0 : 1
