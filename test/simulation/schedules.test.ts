import assert from 'node:assert/strict'
import { playSchedule } from './schedules.ts'

const SCHEDULES = 1_000
const SEED = Number(process.env['SEED'] ?? 1)

describe('schedules of the log on MongoDB', function () {
  this.timeout(180_000)

  it(`keep the invariants, ${SCHEDULES.toLocaleString('en')} of them (SEED=${SEED}; one again: npm run simulate -- --seed N)`, async () => {
    const sum = { acknowledged: 0, refused: 0, unknown: 0, tombstones: 0, mishaps: 0, crashes: 0, removed: 0 }
    for (let seed = SEED; seed < SEED + SCHEDULES; seed++) {
      const played = await playSchedule(seed)
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += played[key]
    }
    for (const [what, count] of Object.entries(sum)) assert.ok(count > SCHEDULES / 10, `hardly any ${what}: ${count}`)
  })
})
