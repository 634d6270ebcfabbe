// `npm run bench -- [--quick] [--keep] [--commits <n>] [<benchmark>...]`: each benchmark with its peers in the same run. What counts are
// the ratios. `--keep` writes tables, figures and plots into docs/benchmarks.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { append } from './append/append.ts'
import { deliver } from './deliver/deliver.ts'
import { dispatch } from './dispatch/dispatch.ts'
import { embedded } from './embedded/embedded.ts'
import { signOutEverywhere } from './ending/sign-out-everywhere.ts'
import { flow } from './flow/flow.ts'
import { idle } from './idle/idle.ts'
import { find } from './log/find.ts'
import { follow } from './log/follow.ts'
import { start } from './log/start.ts'
import { logout } from './logout/logout.ts'
import { machineOf, tableOf, write } from './report.ts'
import { benchServer } from './server.ts'
import { telemetry } from './telemetry/telemetry.ts'

const BENCHMARKS = [
  append,
  flow,
  logout,
  signOutEverywhere,
  dispatch,
  deliver,
  idle,
  find,
  follow,
  start,
  embedded,
  telemetry,
]

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean' }, keep: { type: 'boolean' }, commits: { type: 'string' } },
  allowPositionals: true,
})
const unknown = positionals.find((name) => !BENCHMARKS.some((benchmark) => benchmark.name === name))
if (unknown) throw new Error(`there is no benchmark ${unknown}: ${BENCHMARKS.map(({ name }) => name).join(', ')}`)
const { quick = false } = values
const rounds = quick ? { rounds: 3, turnMs: 700 } : { rounds: 5, turnMs: 2_500 }
const server = await benchServer({ durable: true })
const machine = await machineOf(server.uri, server.kind, rounds)
await server.stop()
const peers = installPeers()
for (const benchmark of BENCHMARKS) {
  if (positionals.length > 0 && !positionals.includes(benchmark.name)) continue
  console.log(`\n${benchmark.title} (${rounds.rounds} rounds of ${rounds.turnMs / 1_000} s each, in turns)\n`)
  const rows = await benchmark.run({
    ...rounds,
    peers,
    quick,
    commits: values.commits ? Number(values.commits) : undefined,
  })
  console.log(tableOf(rows))
  if (values.keep)
    await write(fileURLToPath(new URL('../../docs/benchmarks', import.meta.url)), benchmark, rows, machine)
}

/** They have a package.json of their own: one of them wants an older driver. */
function installPeers(): boolean {
  const folder = fileURLToPath(new URL('peers', import.meta.url))
  try {
    if (!existsSync(`${folder}/node_modules`))
      execFileSync('npm', ['ci', '--legacy-peer-deps', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit' })
    return true
  } catch {
    console.warn('the peers could not be installed: they do not take part')
    return false
  }
}
