// Plays schedules until one breaks an invariant: `node schedules-process.ts <first seed> <count>`. Tells which one did, or null.
import { playSchedule, ScheduleFailed } from './schedules.ts'

const [first = '1', count = '1'] = process.argv.slice(2)
let found: { readonly seed: number; readonly message: string } | null = null
for (let seed = Number(first); seed < Number(first) + Number(count) && !found; seed++) {
  try {
    await playSchedule(seed)
  } catch (error) {
    if (!(error instanceof ScheduleFailed)) throw error
    found = { seed, message: error.message }
  }
}
process.send?.(found)
process.disconnect?.()
