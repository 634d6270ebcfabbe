import assert from 'node:assert/strict'
import type { EventStore } from '../../lib/index.ts'
import { AccountScene } from '../support/account-scene.ts'
import { allThatOpens } from '../support/all-that-opens.ts'

/** What users find and end of their own is the same on every store. */
export function accountSessionsContract(name: string, open: () => Promise<EventStore>): void {
  describe(`devices and apps on ${name}`, () => {
    let at: AccountScene

    beforeEach(async () => {
      at = await AccountScene.start({ store: await open() })
    })

    afterEach(() => at.stop())

    it('lists the sessions of the account, the one of this browser first, with what was remembered', async () => {
      const [phone, here] = [await at.loggedIn('alice', 'shop'), await at.loggedIn('alice', 'shop', 'mail')]
      await phone.authorize('mail')
      await at.loggedIn('bob', 'shop')
      const { status, body } = await at.api(here, '/sessions')
      assert.equal(status, 200)
      assert.deepEqual([body.more, body.mayEnd], [false, true])
      const [shop, mail] = [
        { clientId: 'shop', name: 'Shop', uri: 'https://shop.example.com/' },
        { clientId: 'mail', name: 'Mail' },
      ]
      assert.deepEqual(
        body.sessions.map(({ id, isCurrent, userAgent, ip, apps }: Record<string, unknown>) => [
          id,
          isCurrent,
          userAgent,
          ip,
          apps,
        ]),
        [
          [await at.uidOf(here), true, 'node', '203.0.113.7', [shop, mail]],
          [await at.uidOf(phone), false, 'node', '203.0.113.7', [shop, mail]],
        ],
      )
      for (const session of body.sessions) {
        assert.ok(session.loggedInAt <= session.usedAt + 1_000 && session.usedAt <= Date.now())
        assert.ok(session.expiresAt > Date.now())
      }
    })

    it('ends one session, and says which apps were told', async () => {
      const [phone, here] = [await at.loggedIn('alice', 'shop', 'mail'), await at.loggedIn('alice', 'shop')]
      const { status, body } = await at.api(here, '/sessions/end', { id: await at.uidOf(phone) })
      assert.deepEqual([status, body.isComplete], [200, true])
      await at.scene.quiet()
      const later = await at.api(here, `/ended?reference=${body.reference}`)
      assert.deepEqual(
        [later.body.told.map((app: { name: string }) => app.name).sort(), later.body.settled],
        [['Mail', 'Shop'], true],
      )
      assert.deepEqual([await at.isLoggedIn(phone), await at.isLoggedIn(here)], [false, true])
      const [end] = (await at.scene.receipt()).ends
      assert.deepEqual([end?.reason, end?.actor], ['single_session', 'account:self'])
    })

    it('ends all others', async () => {
      const people = [await at.loggedIn('alice', 'shop'), await at.loggedIn('alice', 'mail')]
      const [here, bob] = [await at.loggedIn('alice', 'shop'), await at.loggedIn('bob', 'shop')]
      const { status, body } = await at.api(here, '/sessions/end-others', {})
      assert.deepEqual([status, body.isComplete], [200, true])
      await at.scene.quiet()
      const later = await at.api(here, `/ended?reference=${body.reference}`)
      assert.deepEqual(later.body.told.map((app: { name: string }) => app.name).sort(), ['Mail', 'Shop'])
      for (const person of people) assert.equal(await at.isLoggedIn(person), false)
      assert.deepEqual([await at.isLoggedIn(here), await at.isLoggedIn(bob)], [true, true])
      const reasons = await Promise.all(
        (await at.scene.ended()).map(async (uid) => (await at.scene.receiptOf(uid)).ends[0]?.reason),
      )
      assert.deepEqual(reasons, ['signed_out_everywhere', 'signed_out_everywhere'])
    })

    it('lists the apps with access, and takes one’s access back', async () => {
      const here = await at.loggedIn('alice', 'shop', 'mail')
      const before = await at.api(here, '/apps')
      assert.deepEqual(
        before.body.apps.map(({ name, scopes, canBeTold }: Record<string, unknown>) => [name, scopes, canBeTold]),
        [
          ['Mail', ['openid'], true],
          ['Shop', ['openid'], true],
        ],
      )
      const { status, body } = await at.api(here, '/apps/revoke', { clientId: 'shop' })
      assert.deepEqual([status, body.isComplete], [200, true])
      await at.scene.quiet()
      const later = await at.api(here, `/ended?reference=${body.reference}`)
      assert.deepEqual(
        later.body.told.map((app: { name: string }) => app.name),
        ['Shop'],
      )
      const after = await at.api(here, '/apps')
      assert.deepEqual(
        after.body.apps.map((app: { name: string }) => app.name),
        ['Mail'],
      )
      assert.deepEqual((await at.api(here, '/apps/revoke', { clientId: 'shop' })).status, 404)
      assert.equal(await at.isLoggedIn(here, 'mail'), true)
    })

    it('keeps what it remembered sealed, and forgets it with the account', async () => {
      const here = await at.loggedIn('alice', 'shop')
      const { store, op } = at.scene
      const commits = JSON.stringify(await store.readAll({ after: 0, limit: 1_000 }))
      assert.equal(commits.includes('203.0.113.7'), false)
      assert.ok((await allThatOpens(store)).includes('203.0.113.7'), 'the keys open it')
      await op.eventSourced.forget('alice', { actor: 'anna', settleMs: 0 })
      assert.equal((await allThatOpens(store)).includes('203.0.113.7'), false, 'no key opens it any more')
      assert.deepEqual((await at.api(here, '/sessions')).body.error.code, 'NOT_SIGNED_IN')
    })
  })
}
