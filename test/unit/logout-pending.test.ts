import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { OptionInvalidError, type WorkTable } from '../../lib/index.ts'
import { type Delivery, toBody } from '../../plugins/back-channel-logout/delivery/delivery.ts'
import { pendingByClient, pendingOf } from '../../plugins/back-channel-logout/delivery/pending.ts'
import { laneOf } from '../../plugins/back-channel-logout/work/lanes.ts'
import { OP } from '../support/planning.ts'

describe('what is pending, where there is more of it than one look reads', () => {
  let store: MemoryEventStore
  let work: WorkTable

  beforeEach(async () => {
    store = new MemoryEventStore()
    work = store.work('deliveries')
    const owed = ['b', 'a'].flatMap((clientId) => [3, 1, 2].map((dueAt) => ({ clientId, dueAt })))
    await work.add(
      owed.map(({ clientId, dueAt }) => ({
        id: `${clientId}${dueAt}/0.0`,
        lane: laneOf(OP, clientId),
        dueAt,
        body: toBody(deliveryTo(clientId)),
      })),
    )
  })

  afterEach(() => store.close())

  for (const [which, criteria, limit, expected] of [
    ['of all clients', {}, undefined, ['a1', 'a2', 'a3', 'b1', 'b2', 'b3']],
    ['of one client', { client: 'b' }, undefined, ['b1', 'b2', 'b3']],
    ['up to a limit that ends within a page', {}, 3, ['a1', 'a2', 'a3']],
  ] as const) {
    it(`is listed ${which}, each once, by client and then those due first`, async () => {
      const found: string[] = []
      for await (const { delivery } of pendingOf({ work, issuer: OP }, criteria, limit ? { limit } : {}, 2)) {
        found.push(delivery.slice(0, 2))
        assert.ok(found.length <= expected.length, `${found} is more than there is`)
      }
      assert.deepEqual(found, expected)
    })
  }

  it('is read a page at a time, and no further than the caller wants it', async () => {
    const pages: number[] = []
    const counted: WorkTable = Object.assign(Object.create(work) as WorkTable, {
      open: (options: Parameters<WorkTable['open']>[0]) => {
        pages.push(options.limit)
        return work.open(options)
      },
    })
    const stopping = new AbortController()
    const found: string[] = []
    for await (const { delivery } of pendingOf({ work: counted, issuer: OP }, {}, { signal: stopping.signal }, 2)) {
      found.push(delivery)
      if (found.length === 3) stopping.abort()
    }
    assert.deepEqual([found.length, pages], [3, [2, 2]])
  })

  it('is counted by client, up to a limit that is a whole number', async () => {
    const all = [
      { clientId: 'a', pending: 3 },
      { clientId: 'b', pending: 3 },
    ]
    assert.deepEqual(await pendingByClient({ work, issuer: OP }, {}), all)
    assert.deepEqual(await pendingByClient({ work, issuer: OP }, { limit: 1 }), all.slice(0, 1))
    assert.deepEqual(await pendingByClient({ work, issuer: OP }, { clients: ['b', 'c'] }), all.slice(1))
    for (const clients of ['a', [''], [7]] as unknown as string[][])
      await assert.rejects(pendingByClient({ work, issuer: OP }, { clients }), OptionInvalidError, String(clients))
    for (const limit of [0, -1, 1.5, Number.POSITIVE_INFINITY, '1' as unknown as number])
      await assert.rejects(pendingByClient({ work, issuer: OP }, { limit }), OptionInvalidError, String(limit))
  })
})

function deliveryTo(clientId: string): Delivery {
  return {
    sessionUid: 'session',
    clientId,
    sid: 'sid',
    sealedSubject: 'sealed',
    includeSid: true,
    reason: 'rp_initiated',
    endedAt: 1,
    attempts: 0,
    badRequests: 0,
  }
}
