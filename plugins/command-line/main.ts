#!/usr/bin/env node
import process from 'node:process'
import { systemClock } from '../../lib/index.ts'
import { run } from './program.ts'

const stopping = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
// Whoever reads the output may stop reading: `| head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})
const { env, stdin, stdout, stderr } = process
const code = await run(process.argv.slice(2), {
  env,
  stdin,
  stdout,
  stderr,
  clock: systemClock,
  signal: stopping.signal,
})
process.exitCode = code
// What still hangs on a server that does not answer keeps nobody waiting.
systemClock.setTimeout(() => process.exit(code), 2_000)
