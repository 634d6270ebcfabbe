import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { generateSecret, type Host, type Key, OptionInvalidError } from '../../lib/index.ts'
import { liveSessionsOf } from '../../plugins/back-channel-logout/ending/live-sessions.ts'
import type { LiveSession } from '../../plugins/back-channel-logout/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { all } from '../support/logout-log.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person, startOp, testClient } from '../support/op.ts'
import { clientsOf } from '../support/told-clients.ts'

const ACTOR = { actor: 'operator anna' }

describe('the live sessions of an account', () => {
  let clock: FakeClock
  let scene: LogoutScene<'one' | 'two'>

  beforeEach(async () => {
    clock = new FakeClock(Date.now()) // oidc-provider has no other than the machine's
    scene = await LogoutScene.start({ one: {}, two: {} }, { clock, others: [testClient('untold')] })
  })

  afterEach(() => scene.stop())

  /** Logs in at RPs, with a browser that nobody used before. */
  async function loggedIn(login: string, ...rps: string[]): Promise<Person> {
    const person = new Person(scene.op)
    for (const rp of rps) await person.authorize(rp, { login })
    return person
  }

  async function uidOf(person: Person): Promise<string> {
    const session = await scene.op.provider.Session.find(String(person.agent.cookie('_session')))
    return String(session?.uid)
  }

  async function uids(account: string, limit?: number): Promise<string[]> {
    const found = await all(scene.logout.sessions({ account }, limit === undefined ? {} : { limit }))
    return found.map(({ uid }) => uid)
  }

  it('are told with the time of the login, the expiry, and the RPs with their sids', async () => {
    const before = Math.floor(Date.now() / 1_000) * 1_000
    const alice = await loggedIn('alice', 'one', 'untold')
    const session = await scene.op.provider.Session.find(String(alice.agent.cookie('_session')))
    const [found, ...more] = await all(scene.logout.sessions({ account: 'alice' }))
    assert.deepEqual(more, [])
    assert.ok(found?.since !== undefined && found.since >= before && found.since <= Date.now())
    assert.deepEqual(found, {
      uid: String(session?.uid),
      accountId: 'alice',
      since: found.since,
      expiresAt: Number(session?.exp) * 1_000,
      logins: [
        { clientId: 'one', sid: String(session?.sidFor('one')), hasBackchannelLogout: true },
        { clientId: 'untold', sid: String(session?.sidFor('untold')), hasBackchannelLogout: false },
      ],
    } satisfies LiveSession)
  })

  it('are those of the account alone, the one used last first, each once however often it was written', async () => {
    const first = await loggedIn('alice', 'one')
    const second = await loggedIn('alice', 'one')
    const third = await loggedIn('alice', 'one')
    await loggedIn('bob', 'one')
    await second.authorize('two')
    const expected = [await uidOf(second), await uidOf(third), await uidOf(first)]
    assert.deepEqual(await uids('alice'), expected)
    assert.deepEqual(await uids('alice', 1), expected.slice(0, 1))
    assert.deepEqual(await uids('nobody'), [])
    const signal = AbortSignal.abort()
    assert.deepEqual(await all(scene.logout.sessions({ account: 'alice' }, { signal })), [])
  })

  it('lack what has ended, and the logins that ended alone', async () => {
    const [loggedOut, ended, lives] = [
      await loggedIn('alice', 'one'),
      await loggedIn('alice', 'one'),
      await loggedIn('alice', 'one', 'two'),
    ]
    await loggedOut.logout()
    await scene.logout.terminateSession(await uidOf(ended), ACTOR)
    await scene.logout.terminateClient('two', ACTOR)
    const found = await all(scene.logout.sessions({ account: 'alice' }))
    assert.deepEqual(
      found.map(({ uid, logins }) => [uid, logins.map(({ clientId }) => clientId)]),
      [[await uidOf(lives), ['one']]],
    )
  })

  it('lack what another account has taken over since', async () => {
    const person = await loggedIn('alice', 'one')
    const session = await scene.op.provider.Session.find(String(person.agent.cookie('_session')))
    assert.ok(session)
    session.accountId = 'bob'
    await session.save(3_600)
    assert.deepEqual(await uids('alice'), [])
    assert.deepEqual(await uids('bob'), [session.uid])
  })

  it('lack what has expired and was not ended yet, as late as the provider would still take it', async () => {
    await scene.op.eventSourced.stop() // nobody ends it
    let host: Host | undefined
    const plugin = {
      name: 'onlooker',
      start: async (given: Host) => {
        host = given
      },
      stop: async () => {},
    }
    const op = await startOp(scene.store, { plugins: [plugin], clock })
    try {
      assert.ok(host)
      await new Person(op).authorize('rp')
      const parts = { host, clients: clientsOf(host), toleranceSeconds: 15 }
      const [session] = await all(liveSessionsOf(parts, { account: 'alice' }, {}))
      await op.stop() // two weeks of its timers take longer than all else here
      await clock.advance(Number(session?.expiresAt) + 14_999 - clock.now())
      assert.equal((await all(liveSessionsOf(parts, { account: 'alice' }, {}))).length, 1)
      await clock.advance(1)
      assert.deepEqual(await all(liveSessionsOf(parts, { account: 'alice' }, {})), [])
    } finally {
      await op.stop()
    }
  })

  it('are refused for what is no account, and for options that nobody knows', () => {
    const { logout } = scene
    for (const account of ['', undefined, 1]) {
      assert.throws(() => logout.sessions({ account: account as string }), OptionInvalidError)
    }
    assert.throws(() => logout.sessions({ account: 'alice' }, { limit: 0 }), OptionInvalidError)
    assert.throws(() => logout.sessions({ account: 'alice' }, { order: 'oldest' } as object), OptionInvalidError)
    assert.throws(() => logout.sessions(undefined as never), OptionInvalidError)
  })
})

describe('the live sessions of an account, page by page', () => {
  const key = (id: string): Key => ({ id, secret: generateSecret() })

  it('are each told once under two hashing keys, and while they are written', async () => {
    const [first, second, sealing] = [key('first'), key('second'), key('sealing')]
    const store = new MemoryEventStore({ keys: { hashing: [second, first], sealing: [sealing] } })
    let host: Host | undefined
    const plugin = {
      name: 'onlooker',
      start: async (given: Host) => {
        host = given
      },
      stop: async () => {},
    }
    const op = await startOp(store, { plugins: [plugin], clients: [testClient('a'), testClient('b'), testClient('c')] })
    try {
      assert.ok(host)
      const people = [new Person(op), new Person(op), new Person(op)]
      for (const person of people) for (const rp of ['a', 'b']) await person.authorize(rp)
      const parts = { host, clients: clientsOf(host), toleranceSeconds: 15 }
      for (const size of [1, 2, 100]) {
        const uids: string[] = []
        for await (const { uid } of liveSessionsOf(parts, { account: 'alice' }, {}, size)) {
          // What is written on the way is neither lost nor told again.
          if (uids.length === 0) for (const person of people) await person.authorize('c')
          uids.push(uid)
        }
        assert.equal(uids.length, 3)
        assert.equal(new Set(uids).size, 3)
      }
    } finally {
      await op.stop()
      await store.close()
    }
  })
})
