import assert from 'node:assert/strict'
import { scaleRun } from '../scale-run/scale-run.ts'

const SESSIONS = 400

describe('all sessions of an OP, ended by one call while one of three RPs hangs', () => {
  for (const store of ['mongodb', 'file'] as const) {
    it(`have ended once each, and the others know, though the process that does it is killed: ${store}`, async () => {
      const run = { sessions: SESSIONS, store, alg: 'ES256', kill: true, tell: () => {} } as const
      const { figures, violations } = await scaleRun(run)
      assert.deepEqual(violations, [])
      assert.ok(Number(figures['progress was told, times']) > 1)
      assert.equal(figures['  deliveries to it that wait on'], SESSIONS)
    })
  }
})
