import assert from 'node:assert/strict'
import { playConsumers } from './consumer-schedules.ts'
import { playSeeds } from './played.ts'

const SEEDS = 400

describe('schedules of consumers and work tables on MongoDB', () => {
  it(`skip nothing, do nothing twice that is done, and leave nothing undone, ${SEEDS.toLocaleString('en')} of them`, async () => {
    const counts = await playSeeds(playConsumers, { from: 1, seeds: SEEDS })
    for (const [what, count] of Object.entries(counts)) assert.ok(count > SEEDS / 20, `hardly any ${what}: ${count}`)
  })
})
