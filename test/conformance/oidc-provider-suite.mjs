// Runs oidc-provider's own tests with every provider of theirs on the event log:
//
//   npm run build && node test/conformance/oidc-provider-suite.mjs CHECKOUT
//
// CHECKOUT is a checkout of oidc-provider's repository in which `npm ci` was run: the package on npm has no tests. Ends as
// its own test run does; with 2 where that cannot be run, and with 1 where nothing of it was on the log.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const SUPPORTED = /^9\.(1\d|[2-9]\d)\./

const [given, ...more] = process.argv.slice(2)
const checkout = given === undefined || more.length > 0 ? undefined : resolve(given)
const problem =
  checkout === undefined
    ? 'which checkout? node test/conformance/oidc-provider-suite.mjs CHECKOUT'
    : problemOf(checkout)
if (problem !== undefined) {
  console.error(problem)
  process.exitCode = 2
} else {
  run(checkout)
}

function run(cwd) {
  const folder = mkdtempSync(join(tmpdir(), 'eventstore-suite-'))
  const report = join(folder, 'counts')
  const plug = new URL('./oidc-provider-suite/plug.mjs', import.meta.url)
  const NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} --import ${plug}`.trim()
  const env = { ...process.env, NODE_OPTIONS, EVENTSTORE_SUITE_CHECKOUT: cwd, EVENTSTORE_SUITE_REPORT: report }
  const child = spawn('npm', ['test'], { cwd, env, stdio: 'inherit' })
  child.once('error', (error) => {
    console.error(error.message)
    process.exitCode = 2
  })
  child.once('close', (code) => {
    const { providers, commits } = countsIn(report)
    rmSync(folder, { recursive: true, force: true })
    console.log(`\nOn the log: ${providers} providers, ${commits} commits`)
    process.exitCode = code === 0 && commits === 0 ? 1 : (code ?? 1)
  })
}

/** Of all processes of the run together. */
function countsIn(report) {
  const lines = existsSync(report) ? readFileSync(report, 'utf8').trim().split('\n') : []
  const sum = { providers: 0, commits: 0 }
  for (const { providers, commits } of lines.map((line) => JSON.parse(line))) {
    sum.providers += providers
    sum.commits += commits
  }
  return sum
}

/** Why the tests of this folder cannot be run. */
function problemOf(at) {
  const manifest = join(at, 'package.json')
  if (!existsSync(manifest)) return `${at} has no package.json`
  const { name, version, scripts } = JSON.parse(readFileSync(manifest, 'utf8'))
  if (name !== 'oidc-provider') return `${at} is ${name}, not oidc-provider`
  if (!SUPPORTED.test(version)) return `${at} has version ${version}: this package is for 9.10 or later, below 10`
  if (!existsSync(join(at, 'test', 'models.js')) || scripts?.test === undefined)
    return `${at} has no tests: the package on npm has none, it must be a checkout of the repository`
  if (!existsSync(join(at, 'node_modules'))) return `run \`npm ci\` in ${at} first`
  return undefined
}
