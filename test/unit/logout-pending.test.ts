import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type Delivery, toBody } from '../../plugins/back-channel-logout/delivery/delivery.ts'
import { pendingOf } from '../../plugins/back-channel-logout/delivery/pending.ts'
import { laneOf } from '../../plugins/back-channel-logout/work/lanes.ts'
import { OP } from '../support/planning.ts'

describe('what is pending, where there is more of it than one look reads', () => {
  const store = new MemoryEventStore()
  const work = store.work('deliveries')

  before(async () => {
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

  after(() => store.close())

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
