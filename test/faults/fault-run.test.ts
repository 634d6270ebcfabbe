import assert from 'node:assert/strict'
import { faultRun } from '../fault-run/fault-run.ts'

const SEED = Number(process.env['SEED'] ?? 1)

describe('processes of an OP, killed and stopped at random while people log out, and their database killed once', () => {
  it(`tell each live RP, and make dead letters for the dead ones (SEED=${SEED}; more: npm run fault-run)`, async () => {
    const options = { logouts: 24, processes: 3, seed: SEED, everyMs: 1_000, people: 8, tell: () => {} }
    const { figures, violations } = await faultRun(options)
    assert.deepEqual(violations, [])
    const happened = ['processes killed (SIGKILL) and started again', 'database killed (SIGKILL) and started again']
    for (const what of happened) assert.ok(Number(figures[what]) > 0, `${what}: never, so this showed nothing`)
    assert.ok(Number(figures['  to dead RPs, dead letters']) > 0, 'no RP was dead')
    assert.ok(Number(figures['  to live RPs, confirmed']) > 24, 'hardly anybody was told')
  })
})
