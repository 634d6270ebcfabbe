// Plays simulations until one breaks an invariant: `node simulation-process.ts <kind> <first seed> <count>`. Tells which one
// did, or null.
import { AssertionError } from 'node:assert'
import { simulateReads } from './followed-reads.ts'
import type { Mutant } from './mutants.ts'
import { playRetention } from './retained-answers.ts'
import { playSchedule, ScheduleFailed } from './schedules.ts'

/** What a simulation has found. */
export interface Found {
  readonly seed: number
  readonly message: string
}

const PLAY: Record<Mutant['simulation'], (seed: number) => Promise<unknown>> = {
  schedules: playSchedule,
  reads: (seed) => simulateReads(seed, 1_000),
  retention: playRetention,
}

const [kind = '', first = '1', count = '1'] = process.argv.slice(2)
let found: Found | null = null
for (let seed = Number(first); seed < Number(first) + Number(count) && !found; seed++) {
  try {
    await PLAY[kind as Mutant['simulation']](seed)
  } catch (error) {
    if (!(error instanceof ScheduleFailed || error instanceof AssertionError)) throw error
    found = { seed, message: error.message }
  }
}
process.send?.(found)
process.disconnect?.()
