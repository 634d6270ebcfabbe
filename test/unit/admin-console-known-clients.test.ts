import assert from 'node:assert/strict'
import { StoreUnavailableError } from '../../lib/index.ts'
import { listClients, showClient } from '../../plugins/admin-console/api/clients.ts'
import type { ClientDetail, ClientsPage } from '../../plugins/admin-console/api/contract.ts'
import { KnownClients } from '../../plugins/admin-console/api/known-clients.ts'
import type { Call } from '../../plugins/admin-console/api/route.ts'

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
    const [last] = await known.rows(['client-999'])
    assert.equal(last?.oldestPendingAt, 1_000)
    assert.equal(asked.length, 1)
  })

  it('says of whom the statistics may say nothing since there are too many, and never so of the configuration’s own', async () => {
    const told = { clientId: 'told', confirmed: 3, attemptsFailed: 0, rejected: 0, abandoned: 0 }
    const leftOut = async (moreClients: number): Promise<string[]> => {
      const logout = {
        paused: async () => [],
        statistics: async () => ({ clients: [told], moreClients }),
        openCircuits: () => [],
        clients: { configured: ['shop'] },
      }
      const parts = { logout, pendingByClient: { look: async () => [] } }
      const known = await KnownClients.look(parts as unknown as Parameters<typeof KnownClients.look>[0])
      const rows = await known.rows(['shop', 'told', 'stored'])
      return rows.filter(({ statisticsLeftOut }) => statisticsLeftOut).map(({ clientId }) => clientId)
    }
    assert.deepEqual([await leftOut(0), await leftOut(1)], [[], ['stored']])
  })

  const late = () => Promise.reject(new StoreUnavailableError('no answer within 10 s'))
  /** @param count - of these clients, or of all */
  const call = (count: (clients: readonly string[] | undefined) => Promise<object[]>, fields: object) =>
    ({
      fields,
      logout: {
        paused: async () => [{ clientId: 'shop', actor: 'olga', at: 1 }],
        statistics: async () => ({ clients: [] }),
        openCircuits: () => [],
        clients: { configured: ['shop', 'wiki'], settings: async () => ({}) },
        pages: { pending: async () => ({ items: [{ endedAt: 5, sessionUid: 'uid' }] }) },
        pendingByClient: ({ clients }: { readonly clients: readonly string[] }) => count(clients),
      },
      pendingByClient: { look: () => count(undefined) },
    }) as unknown as Call
  const told = async (answer: unknown) => (await (answer as Promise<{ readonly body: unknown }>)).body

  it('lists them without a count where counting takes too long, and fails where it fails otherwise', async () => {
    const { items } = (await told(listClients.handle(call(late, {})))) as ClientsPage
    assert.deepEqual(
      items.map(({ clientId, paused, ...row }) => [clientId, paused?.actor, 'pending' in row, row.circuit]),
      [
        ['shop', 'olga', false, 'closed'],
        ['wiki', undefined, false, 'closed'],
      ],
    )
    const broken = () => Promise.reject(new TypeError('a mistake'))
    await assert.rejects(async () => listClients.handle(call(broken, {})), { message: 'a mistake' })
  })

  it('counts those with most where counting the others of a page takes too long', async () => {
    const most = Array.from({ length: 1_000 }, (_, n) => ({ clientId: `client-${n}`, pending: 9 }))
    const count = (clients: readonly string[] | undefined) => (clients ? late() : Promise.resolve(most))
    const { items } = (await told(listClients.handle(call(count, { q: 'shop' })))) as ClientsPage
    assert.deepEqual(
      items.map(({ clientId, pending }) => [clientId, pending]),
      [['shop', undefined]],
    )
    const page = (await told(listClients.handle(call(count, { q: 'client-99' })))) as ClientsPage
    assert.ok(page.items.length > 1 && page.items.every(({ pending }) => pending === 9))
  })

  it('counts for the page of one what it alone is to get, and shows it without where that takes too long', async () => {
    const one = (clients: readonly string[] | undefined) => {
      assert.deepEqual(clients, ['shop'])
      return Promise.resolve([{ clientId: 'shop', pending: 7, oldestEndedAt: 5 }])
    }
    const shown = (await told(showClient.handle(call(one, { client: 'shop' })))) as ClientDetail
    assert.deepEqual([shown.pending, shown.oldestPendingAt, shown.oldestPendingSession], [7, 5, 'uid'])
    const none = (await told(showClient.handle(call(async () => [], { client: 'shop' })))) as ClientDetail
    assert.equal(none.pending, 0)
    const without = (await told(showClient.handle(call(late, { client: 'shop' })))) as ClientDetail
    assert.deepEqual([without.pending, without.paused?.actor], [undefined, 'olga'])
  })
})
