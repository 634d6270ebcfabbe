import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { MUTANTS, type Mutant } from './mutants.ts'
import type { Found } from './simulation-process.ts'

const pathOf = (file: string): string => fileURLToPath(new URL(file, import.meta.url))
const TYPES = new URL('../support/types.mjs', import.meta.url).href
const HOOKS = new URL('mutant-hooks.mjs', import.meta.url).href

/** So many are played to find a fault. */
const SEEDS = { schedules: 400, consumers: 600, reads: 60, retention: 600 }

/** A line of what happened. */
const TRACES = {
  schedules: /^\d+ ms p\d+ (find|insert|findAndModify) /,
  consumers: /^\d+ ms p\d+ (find|update|findAndModify) /,
  reads: /^\d+: \S+ of \S+ /,
  retention: /^\{"kind":"/,
}

/** The first seed that shows the fault. */
async function firstSeed(mutant: Mutant): Promise<Found | null> {
  const child = fork(
    pathOf('simulation-process.ts'),
    [mutant.simulation, String(mutant.firstSeed ?? 1), String(SEEDS[mutant.simulation])],
    {
      execArgv: ['--import', TYPES, '--import', HOOKS],
      env: { ...process.env, MUTANT: JSON.stringify(mutant) },
    },
  )
  const [found] = await Promise.race([once(child, 'message'), once(child, 'exit')])
  assert.equal(typeof found, 'object', 'the process ended without a word')
  return found as Found | null
}

describe('the simulation of the log', function () {
  this.timeout(120_000)

  for (const mutant of MUTANTS) {
    it(`finds it when ${mutant.name}`, async () => {
      const found = await firstSeed(mutant)
      assert.ok(found, `it was not found in ${SEEDS[mutant.simulation]} seeds`)
      assert.match(found.message, /^seed \d+ breaks an invariant: /)
      const [told, trace] = [found.message.trim().split('\n'), TRACES[mutant.simulation]]
      assert.ok(told.filter((line) => trace.test(line)).length > 3, 'what happened is told')
    })
  }
})
