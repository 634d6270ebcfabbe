// Runs the suite beside processes that do nothing but keep the processors busy: no test may fail since the machine is slow.
//
//   npm run test:loaded -- --runs 20 [--busy 2] [FILE...]
//
// Prints a line for each run. What a run printed is kept in artefacts/loaded-runs where a test failed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = new URL('../artefacts/loaded-runs/', import.meta.url)

const { values, positionals } = parseArgs({
  options: { runs: { type: 'string', default: '20' }, busy: { type: 'string', default: '2' } },
  allowPositionals: true,
})
const [runs, busy] = [numberOf('runs', 1), numberOf('busy', 0)]
const files = positionals.length > 0 ? positionals : ['test/**/*.test.ts']

await mkdir(folder, { recursive: true })
const loops = Array.from({ length: busy }, () =>
  spawn(
    process.execPath,
    [
      '--eval',
      'process.on("disconnect", () => process.exit()); (function spin() { for (let n = 0; n < 1e7; n++); setImmediate(spin) })()',
    ],
    {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    },
  ),
)
let failures = 0
try {
  console.log(
    `${runs} runs, ${busy} busy loops beside each, ${availableParallelism()} processors, Node ${process.version}`,
  )
  for (let run = 1; run <= runs; run++) failures += (await suite(run)) ? 0 : 1
} finally {
  for (const loop of loops) loop.disconnect()
}
console.log(failures === 0 ? `no test failed in ${runs} runs` : `${failures} of ${runs} runs failed`)
process.exitCode = failures === 0 ? 0 : 1

/** Whether all its tests passed. */
async function suite(run) {
  const began = performance.now()
  const log = new URL(`run-${run}.log`, folder)
  const output = createWriteStream(log)
  const child = spawn('npx', ['mocha', '--parallel', ...files], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.pipe(output, { end: false })
  child.stderr.pipe(output, { end: false })
  const [code] = await once(child, 'close')
  output.end()
  await once(output, 'finish')
  const text = await readFile(log, 'utf8')
  const counts = text.match(/^\d+ passed, \d+ failed, \d+ skipped$/m)?.[0] ?? 'no test was counted'
  console.log(`run ${run}: ${counts}, ${Math.round((performance.now() - began) / 1_000)} s`)
  for (const [, title] of text.matchAll(/^ {2,}\d+\) (.+)$/gm)) console.log(`  ${title}`)
  if (code === 0) await rm(log)
  return code === 0
}

function numberOf(option, least) {
  const number = Number(values[option])
  if (Number.isSafeInteger(number) && number >= least) return number
  throw new Error(`--${option} must be a whole number from ${least}: ${values[option]}`)
}
