import assert from 'node:assert/strict'
import { simulate } from './mongodb-log.ts'

const SEEDS = 2
const SEED = Number(process.env['SEED'] ?? 1)

describe('a simulated deployment on MongoDB with bad networks', () => {
  for (let seed = SEED; seed < SEED + SEEDS; seed += 1) {
    it(`keeps the invariants of the log (SEED=${seed}; more: npm run simulate -- --networks --seeds 50)`, async () => {
      const { acknowledged, refused, cuts } = await simulate(seed)
      assert.ok(acknowledged > 100 && refused > 0 && cuts > 0, 'hardly anything happened: this showed nothing')
    })
  }
})
