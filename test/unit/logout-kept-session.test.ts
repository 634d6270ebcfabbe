import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { keptBy } from '../../plugins/back-channel-logout/ending/kept-session.ts'
import { newTarget } from '../../plugins/back-channel-logout/ending/order-termination.ts'

describe('the session that goes on while those of its account end', () => {
  const store = new MemoryEventStore()
  after(() => store.close())

  /** What goes on, where the session is this account's. */
  const keptOf = (accountId: string | undefined) => {
    const payload = { uid: 'kept', accountId, authorizations: { shop: { sid: 's', grantId: 'grant' } } }
    const terminator = { status: async () => ({ live: { payload } }) }
    const job = newTarget(store.keys, { kind: 'account', accountId: 'alice', except: 'kept' })
    return keptBy({ terminator, store } as unknown as Parameters<typeof keptBy>[0], job)
  }

  it('keeps its grants, and its RPs are not told by a token without sid', async () => {
    const { grants, clients } = await keptOf('alice')
    assert.deepEqual([...grants, ...clients], ['grant', 'shop'])
  })

  it('keeps nothing where it is of another account: RPs must be told of what ends', async () => {
    for (const other of ['bob', undefined]) {
      const { grants, clients } = await keptOf(other)
      assert.deepEqual([...grants, ...clients], [])
    }
  })
})
