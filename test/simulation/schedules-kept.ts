import assert from 'node:assert/strict'
import { playSeeds } from './played.ts'
import { playSchedule } from './schedules.ts'

/** A part of the schedules: they are in several files, so that they are played side by side. */
export function theyKeepTheInvariants({ from, seeds }: { readonly from: number; readonly seeds: number }): void {
  describe('schedules of the log on MongoDB', () => {
    it(`keep the invariants, ${seeds.toLocaleString('en')} of them, from seed ${from} on`, async () => {
      const counts = await playSeeds(playSchedule, { from, seeds })
      for (const [what, count] of Object.entries(counts)) assert.ok(count > seeds / 20, `hardly any ${what}: ${count}`)
    })
  })
}
