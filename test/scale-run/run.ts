// npm run scale-run -- [--sessions 100000] [--store mongodb|file|memory] [--alg RS256|ES256] [--kill]: ends so many
// sessions by one call. Prints how it went; ends with 1 when a count is not exact or memory grew.
import { parseArgs } from 'node:util'
import { type ScaleRunOptions, scaleRun } from './scale-run.ts'

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '100000' },
    store: { type: 'string', default: 'mongodb' },
    alg: { type: 'string', default: 'RS256' },
    kill: { type: 'boolean', default: false },
  },
})
const tell = (line: string): void => void process.stdout.write(`${line}\n`)
const { figures, violations } = await scaleRun({
  sessions: Number(values.sessions),
  store: oneOf(values.store, ['mongodb', 'file', 'memory']),
  alg: oneOf(values.alg, ['RS256', 'ES256']),
  kill: values.kill,
  tell,
})
const widest = Math.max(...Object.keys(figures).map(({ length }) => length))
for (const [name, figure] of Object.entries(figures)) tell(`${name.padEnd(widest)}  ${figure}`)
for (const violation of violations) tell(`VIOLATION: ${violation}`)
tell(violations.length === 0 ? 'every count is exact' : `${violations.length} violations`)
process.exitCode = violations.length === 0 ? 0 : 1

function oneOf<const T extends ScaleRunOptions['store'] | ScaleRunOptions['alg']>(value: string, all: readonly T[]): T {
  const found = all.find((one) => one === value)
  if (found === undefined) throw new Error(`"${value}" is none of ${all.join(', ')}`)
  return found
}
