import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { EventStore, NewEvent } from '../../lib/index.ts'
import { behind } from '../../lib/log/behind.ts'
import type { SignedIn } from '../../plugins/account-sessions/index.ts'
import { plannedUpTo } from '../../plugins/back-channel-logout/receipts/planned.ts'
import { AccountScene } from '../support/account-scene.ts'
import { callCountingStore } from '../support/call-counting-store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { pastSessions } from '../support/past-sessions.ts'

/** The most calls of the store that one request may cost. */
const CALLS = 20

describe('an account with one live session, and what it has ended before', () => {
  let clock: FakeClock
  let at: AccountScene
  let store: EventStore
  let calls: string[]
  let who: SignedIn | undefined

  beforeEach(async () => {
    clock = new FakeClock(Date.now()) // what runs beside the requests stands still
    const counted = callCountingStore(new MemoryEventStore({ clock }))
    store = counted.store
    calls = counted.calls
    at = await AccountScene.start({ clock, store, account: { authenticate: () => who } })
  })

  afterEach(() => at.stop())

  async function planned(): Promise<void> {
    const end = await store.end()
    while ((await behind(store, await plannedUpTo(store), end)) > 0) {
      await clock.advance(1)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async function during(work: () => Promise<unknown>): Promise<readonly string[]> {
    calls.length = 0
    await work()
    return [...calls]
  }

  for (const past of [1, 100, 10_000]) {
    it(`is listed and shown at the same cost after ${past} sessions and grants`, async () => {
      await pastSessions(store, at.scene.op.issuer, 'alice', past)
      await pastGrants(store, at.scene.op.issuer, 'alice', past)
      const here = await at.loggedIn('alice', 'shop')
      await planned()
      who = { accountId: 'alice', sessionUid: await at.uidOf(here), authenticatedAt: clock.now() }
      for (const [path, list] of [
        ['/sessions', 'sessions'],
        ['/apps', 'apps'],
      ] as const) {
        const cost = await during(async () => {
          const { status, body } = await at.api(undefined, path)
          assert.deepEqual([status, body[list].length, body.more], [200, 1, false])
        })
        assert.ok(cost.length < CALLS, `${path}: ${cost.length}: ${cost.join(', ')}`)
      }
      const page = await during(async () => assert.equal((await at.page(undefined)).status, 200))
      assert.ok(page.length < CALLS, `the page: ${page.length}: ${page.join(', ')}`)
      const unknown = await during(async () => {
        assert.equal((await at.api(undefined, '/apps/revoke', { clientId: 'mail' })).status, 404)
      })
      assert.ok(unknown.length < CALLS, `an unknown app: ${unknown.length}: ${unknown.join(', ')}`)
    })
  }
})

describe('an account with more live sessions than anybody shows', () => {
  it('is told the first of them, with its own, at a cost that has a bound', async () => {
    const clock = new FakeClock(Date.now())
    const { store, calls } = callCountingStore(new MemoryEventStore({ clock }))
    let who: SignedIn | undefined
    const at = await AccountScene.start({ clock, store, account: { authenticate: () => who } })
    try {
      const Session = at.scene.op.provider.Session as unknown as new (
        payload: object,
      ) => { readonly uid: string; save(ttl: number): Promise<unknown> }
      const uids: string[] = []
      for (let i = 0; i < 300; i++) {
        const session = new Session({ accountId: 'alice', loginTs: 1 })
        await session.save(3_600)
        uids.push(session.uid)
      }
      who = { accountId: 'alice', sessionUid: String(uids[0]), authenticatedAt: clock.now() }
      calls.length = 0
      const { body } = await at.api(undefined, '/sessions?limit=10')
      assert.deepEqual([body.sessions.length, body.more], [10, true])
      assert.deepEqual([body.sessions[0].id, body.sessions[0].isCurrent], [uids[0], true])
      assert.ok(calls.length < 60, `${calls.length}: ${calls.join(', ')}`)
      assert.equal((await at.api(undefined, '/sessions/end-others', {})).body.isComplete, true)
      assert.deepEqual((await at.api(undefined, '/sessions')).body.sessions.length, 1)
    } finally {
      await at.stop()
    }
  })
})

/** So many grants of an account that were given and revoked, as the provider writes them. */
async function pastGrants(store: EventStore, issuer: string, accountId: string, count: number): Promise<void> {
  const meta = { instance: issuer }
  for (let i = 0; i < count; i++) {
    const jti = `${accountId}-grant-${i}`
    const [stream] = store.keys.streams('Grant', jti)
    const also = store.keys.streams('account', accountId)
    const exp = Math.floor(Date.now() / 1_000) + 3_600
    const sealed = store.keys.seal({ payload: { jti, kind: 'Grant', accountId, clientId: 'mail', exp } }, stream)
    const stored: NewEvent = { stream, also, type: 'stored', data: { model: 'Grant', exp, sealed } }
    const destroyed: NewEvent = { stream, also, type: 'destroyed', data: { model: 'Grant' } }
    for (const event of [stored, destroyed]) await store.append({ events: [event], meta })
  }
}
