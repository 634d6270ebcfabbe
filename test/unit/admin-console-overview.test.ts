import assert from 'node:assert/strict'
import type { PendingCount } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { StoreUnavailableError } from '../../lib/index.ts'
import type { Overview } from '../../plugins/admin-console/api/contract.ts'
import { lookAtAll } from '../../plugins/admin-console/api/overview.ts'
import { FakeClock } from '../support/fake-clock.ts'

const HEALTHY = {
  isReady: true,
  store: { isReachable: true },
  planner: { behind: 0, behindMs: 0 },
  deliveries: { open: 3, overdueMs: 0 },
  parked: 0,
  circuitsOpen: 0,
}

function overview(count: () => Promise<readonly PendingCount[]>): Promise<Overview> {
  const logout = {
    health: async () => HEALTHY,
    statistics: async () => ({ total: {}, clients: [], quarters: [] }),
    paused: async () => [],
  }
  const parts = {
    logout,
    clock: new FakeClock(),
    sessionCount: { look: async () => 0 },
    pendingByClient: { look: count },
  }
  return lookAtAll(parts as unknown as Parameters<typeof lookAtAll>[0])
}

describe('the overview of the console', () => {
  const counts = (count: number): PendingCount[] =>
    Array.from({ length: count }, (_, n) => ({ clientId: `client-${n}`, pending: count - n, oldestEndedAt: 1_000 - n }))

  it('names the RP that waits longest, however little it is owed', async () => {
    const { oldestPending } = await overview(async () => [
      ...counts(998),
      { clientId: 'of-long-ago', pending: 1, oldestEndedAt: 1 },
    ])
    assert.deepEqual(oldestPending, { clientId: 'of-long-ago', endedAt: 1, isExact: true })
  })

  it('says that another may wait longer where more RPs wait than are counted', async () => {
    const { oldestPending } = await overview(async () => counts(1_000))
    assert.deepEqual(oldestPending, { clientId: 'client-999', endedAt: 1, isExact: false })
  })

  it('names nobody where nobody waits, and where nothing tells since when', async () => {
    assert.equal((await overview(async () => [])).oldestPending, undefined)
    assert.equal((await overview(async () => [{ clientId: 'a', pending: 1 }])).oldestPending, undefined)
  })

  it('is told without it where counting took too long', async () => {
    const told = await overview(() => Promise.reject(new StoreUnavailableError('no answer within 10 s')))
    assert.equal(told.oldestPending, undefined)
    assert.ok('statistics' in told)
  })

  it('fails where counting failed otherwise', async () => {
    await assert.rejects(
      overview(() => Promise.reject(new TypeError('a mistake'))),
      { message: 'a mistake' },
    )
  })
})
