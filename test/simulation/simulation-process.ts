// Plays simulations until one breaks an invariant: `node simulation-process.ts <kind> <first seed> <count>`. Tells which one
// did, or null.
import { playConsumers } from './consumer-schedules.ts'
import { simulateReads } from './followed-reads.ts'
import type { Mutant } from './mutants.ts'
import { type Played, ScheduleFailed } from './played.ts'
import { playRetention } from './retained-answers.ts'
import { playSchedule } from './schedules.ts'

/** What a simulation has found. */
export interface Found {
  readonly seed: number
  readonly message: string
}

const PLAY: Record<Mutant['simulation'], (seed: number) => Promise<Played>> = {
  schedules: playSchedule,
  consumers: playConsumers,
  reads: simulateReads,
  retention: playRetention,
}

const [kind = '', first = '1', count = '1'] = process.argv.slice(2)
let found: Found | null = null
Error.stackTraceLimit = 0 // nobody reads them, and they cost time
for (let seed = Number(first); seed < Number(first) + Number(count) && !found; seed++) {
  try {
    await PLAY[kind as Mutant['simulation']](seed)
  } catch (error) {
    if (!(error instanceof ScheduleFailed)) throw error
    found = { seed, message: error.message }
  }
}
process.send?.(found)
process.disconnect?.()
