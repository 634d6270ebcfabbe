import assert from 'node:assert/strict'
import { KnownClients } from '../../plugins/admin-console/api/known-clients.ts'

describe('what the console knows of clients', () => {
  it('reads a page of what one is still to get, where a thousand others are to get more', async () => {
    const asked: unknown[] = []
    const logout = {
      paused: async () => [],
      statistics: async () => ({ clients: [] }),
      openCircuits: () => [],
      clients: { configured: [] },
      pages: {
        pending: async (_: object, { limit }: { limit: number }) => {
          asked.push(limit)
          return { items: Array.from({ length: 7 }), looked: 7 }
        },
      },
    }
    const most = Array.from({ length: 1_000 }, (_, n) => ({ clientId: `client-${n}`, pending: 1_000 }))
    const parts = { logout, pendingByClient: { look: async () => most } }
    const known = await KnownClients.look(parts as unknown as Parameters<typeof KnownClients.look>[0])
    assert.equal((await known.row('client-1')).pending, 1_000)
    assert.equal((await known.row('another')).pending, 7)
    assert.deepEqual(asked, [100])
  })
})
