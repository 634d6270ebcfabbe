import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { MemoryStore } from 'express-session'
import {
  expressSessionLoggedOutStore,
  type LoggedOutStore,
  loggedOutSessions,
  MemoryLoggedOutStore,
  MemoryReplayStore,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { MongoLoggedOutStore } from '../../plugins/back-channel-logout-receiver/mongodb/index.ts'
import { openDatabase } from '../support/mongo-database.ts'
import { type SessionRpOptions, SessionSite, type SharedSessions, sessionRpKinds } from '../support/session-rps.ts'
import { UserAgent } from '../support/user-agent.ts'
import { ISSUER, NOW, type TestIssuer, testIssuer } from '../unit/receiver-issuer.ts'

const LOGIN = { iss: ISSUER, sub: 'alice', sid: 'session-1', iat: NOW - 1000 }

for (const kind of sessionRpKinds) {
  describe(`${kind.name}, told of logouts`, () => {
    let op: TestIssuer
    let shared: SharedSessions
    let rp: SessionSite
    let alice: UserAgent

    before(async () => {
      op = await testIssuer()
    })

    beforeEach(async () => {
      shared = kind.share()
      alice = new UserAgent()
      rp = await SessionSite.start(process(new MemoryLoggedOutStore()))
      await rp.login(alice, LOGIN)
      assert.equal(await rp.visit(alice), 'alice 2')
    })

    afterEach(() => rp.stop())

    /** A process of the RP, with the logouts that it knows of. */
    function process(store: LoggedOutStore, more: Partial<SessionRpOptions> = {}): RequestListener {
      const sessions = loggedOutSessions({ store, sessionMaxAgeSeconds: 24 * 60 * 60 })
      const receiver = { ...op.options, replayStore: new MemoryReplayStore() }
      return kind.process(shared, { sessions, receiver, ...more })
    }

    async function logout(claims: Record<string, unknown>): Promise<void> {
      const token = await op.token({ claims: { sub: undefined, sid: undefined, ...claims } })
      const body = new URLSearchParams({ logout_token: token })
      const { status, ...answer } = await fetch(`${rp.url}/backchannel-logout`, { method: 'POST', body })
      assert.equal(status, 200, JSON.stringify(answer))
    }

    it('ends the session with the sid, and no other', async () => {
      const bob = new UserAgent()
      const elsewhere = new UserAgent()
      await rp.login(bob, { ...LOGIN, sub: 'bob', sid: 'session-2' })
      await rp.login(elsewhere, { ...LOGIN, sid: 'session-3' })
      await logout({ sub: 'alice', sid: 'session-1' })
      assert.equal(await rp.visit(alice), 'nobody 1')
      assert.equal(await rp.visit(bob), 'bob 2')
      assert.equal(await rp.visit(elsewhere), 'alice 2')
    })

    it('destroys the session at its next request, and goes on with one that has another id', async () => {
      const before = shared.ids()
      assert.equal(before.length, kind.stored ? 1 : 0)
      await logout({ sid: 'session-1' })
      const copied = alice.clone()
      assert.equal(await rp.visit(alice), 'nobody 1')
      assert.equal(await rp.visit(alice), 'nobody 2')
      assert.equal(shared.ids().length, before.length)
      assert.deepEqual(
        shared.ids().filter((id) => before.includes(id)),
        [],
      )
      assert.equal(await rp.visit(copied), 'nobody 1', 'a copy of the cookie is worth nothing')
    })

    it('ends all sessions of the user without a sid, but not the login that came after the logout', async () => {
      const second = new UserAgent()
      const later = new UserAgent()
      await rp.login(second, { ...LOGIN, sid: 'session-2' })
      await rp.login(later, { ...LOGIN, sid: 'session-3', iat: NOW - 10 })
      await logout({ sub: 'alice', toe: NOW - 500 }) // its delivery took a while
      assert.equal(await rp.visit(alice), 'nobody 1')
      assert.equal(await rp.visit(second), 'nobody 1')
      assert.equal(await rp.visit(later), 'alice 2')
    })

    it('lets the user log in again at once, in the same browser', async () => {
      await logout({ sub: 'alice', sid: 'session-1' })
      await rp.login(alice, { ...LOGIN, sid: 'session-2', iat: NOW })
      assert.equal(await rp.visit(alice), 'alice 2')
      await logout({ sub: 'alice', sid: 'session-1' }) // once more: the OP did not hear the first answer
      assert.equal(await rp.visit(alice), 'alice 3')
    })

    it('does not let a request that was under way bring the session back', async () => {
      let arrived = (): void => {}
      let release = (): void => {}
      const under = new Promise<void>((resolve) => {
        arrived = resolve
      })
      const released = new Promise<void>((resolve) => {
        release = resolve
      })
      const slow = async (): Promise<void> => {
        arrived()
        await released
      }
      rp.process = process(new MemoryLoggedOutStore(), { slow })
      const request = rp.visit(alice, '/slow')
      await under
      await logout({ sid: 'session-1' })
      release()
      assert.equal(await request, 'alice 3', 'it was let in before')
      assert.equal(await rp.visit(alice), 'nobody 1')
    })

    it('shows no page to a session that cannot be checked', async () => {
      const down = new Error('down')
      rp.process = process({ remember: () => Promise.reject(down), recall: () => Promise.reject(down) })
      assert.equal(await rp.visit(alice), '500')
      assert.equal(await rp.visit(new UserAgent()), 'nobody 1', 'who never logged in needs no check')
    })

    for (const [name, open] of [
      ['MongoDB', onMongoDB],
      [
        'a store of express-session',
        async () => ({ store: expressSessionLoggedOutStore(new MemoryStore()), drop() {} }),
      ],
    ] as const) {
      it(`ends a session that another process serves, by way of ${name}`, async () => {
        const { store, drop } = await open()
        try {
          const [one, two] = [process(store), process(store)]
          rp.process = two
          assert.equal(await rp.visit(alice), 'alice 3')
          rp.process = one
          await logout({ sid: 'session-1' })
          rp.process = two
          assert.equal(await rp.visit(alice), 'nobody 1')
        } finally {
          await drop()
        }
      }).timeout(300_000)
    }
  })
}

async function onMongoDB(): Promise<{ store: LoggedOutStore; drop(): Promise<void> }> {
  const database = await openDatabase('receiver_sessions')
  return { store: await MongoLoggedOutStore.open(database.db), drop: () => database.drop() }
}
