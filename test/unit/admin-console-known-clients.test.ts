import assert from 'node:assert/strict'
import { KnownClients } from '../../plugins/admin-console/api/known-clients.ts'

describe('what the console knows of clients', () => {
  it('counts with one command what the others of a page are still to get, where a thousand are to get more', async () => {
    const asked: unknown[] = []
    const logout = {
      paused: async () => [],
      statistics: async () => ({ clients: [] }),
      openCircuits: () => [],
      clients: { configured: [] },
      pendingByClient: async (options: object) => {
        asked.push(options)
        return [{ clientId: 'another', pending: 7, oldestEndedAt: 5 }]
      },
    }
    const most = Array.from({ length: 1_000 }, (_, n) => ({
      clientId: `client-${n}`,
      pending: 1_000,
      oldestEndedAt: n + 1,
    }))
    const parts = { logout, pendingByClient: { look: async () => most } }
    const known = await KnownClients.look(parts as unknown as Parameters<typeof KnownClients.look>[0])
    const rows = await known.rows(['another', 'client-1', 'third'])
    assert.deepEqual(
      rows.map(({ clientId, pending, oldestPendingAt }) => [clientId, pending, oldestPendingAt]),
      [
        ['another', 7, 5],
        ['client-1', 1_000, 2],
        ['third', 0, undefined],
      ],
    )
    assert.deepEqual(asked, [{ clients: ['another', 'third'], limit: 2 }])
    assert.equal((await known.row('client-999')).oldestPendingAt, 1_000)
    assert.equal(asked.length, 1)
  })
})
