import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { bundledProgram } from '../support/bundled-program.ts'
import { MUTANTS, type Mutant } from './mutants.ts'
import type { Found } from './simulation-process.ts'

const PROGRAM = new URL('simulation-process.ts', import.meta.url)

/** So many are played to find a fault. */
const SEEDS = { schedules: 400, consumers: 600, reads: 60, retention: 600 }

/** A line of what happened. */
const TRACES = {
  schedules: /^\d+ ms p\d+ (find|insert|findAndModify) /,
  consumers: /^\d+ ms p\d+ (find|update|findAndModify) /,
  reads: /^\d+: \S+ of \S+ /,
  retention: /^\{"kind":"/,
}

/** The program with one file of the package that has a fault in it. */
function withFault({ file, from, to }: Mutant, name: string): Promise<string> {
  const change = (text: string): string => {
    assert.equal(text.split(from).length, 2, `the mutant does not fit into ${file} any more`)
    return text.replace(from, () => to)
  }
  return bundledProgram(PROGRAM, { name, withPackages: false, alter: { module: file, change } })
}

/** The first seed that shows the fault. */
async function firstSeed(mutant: Mutant, program: string): Promise<Found | null> {
  const { simulation, firstSeed: first = 1 } = mutant
  const child = fork(program, [simulation, String(first), String(SEEDS[simulation])], {
    execArgv: [],
    env: { ...process.env, MUTANT: mutant.name },
  })
  const [found] = await Promise.race([once(child, 'message'), once(child, 'exit')])
  assert.equal(typeof found, 'object', 'the process ended without a word')
  return found as Found | null
}

describe('the simulation of the log', () => {
  for (const [index, mutant] of MUTANTS.entries()) {
    it(`finds it when ${mutant.name}`, async () => {
      const found = await firstSeed(mutant, await withFault(mutant, `mutant-${index}`))
      assert.ok(found, `it was not found in ${SEEDS[mutant.simulation]} seeds`)
      assert.match(found.message, /^seed \d+ breaks an invariant: /)
      const [told, trace] = [found.message.trim().split('\n'), TRACES[mutant.simulation]]
      assert.ok(told.filter((line) => trace.test(line)).length > 3, 'what happened is told')
    })
  }
})
