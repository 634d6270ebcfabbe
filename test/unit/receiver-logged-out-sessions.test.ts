import assert from 'node:assert/strict'
import fc from 'fast-check'
import { silent } from '../../lib/index.ts'
import {
  type IdTokenClaims,
  type LoggedOutEntry,
  type LoggedOutSessions,
  type LoggedOutSessionsOptions,
  type LoggedOutStore,
  loggedOutSessions,
  logoutRequestHandler,
  MemoryLoggedOutStore,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { loggedOutStoreContract } from '../contract/logged-out-store.ts'
import { ISSUER, LOGOUT_EVENT, NOW, testIssuer } from './receiver-issuer.ts'

const DAY = 24 * 60 * 60

loggedOutStoreContract('MemoryLoggedOutStore', async () => new MemoryLoggedOutStore())

describe('a session of an RP', () => {
  let store: MemoryLoggedOutStore
  let sessions: LoggedOutSessions

  beforeEach(() => {
    store = new MemoryLoggedOutStore()
    sessions = loggedOutSessions({ store, sessionMaxAgeSeconds: DAY, now: () => NOW * 1000, logger: silent })
  })

  const session = (claims: Partial<IdTokenClaims> = {}): object => {
    const one = {}
    sessions.onLogin(one, { iss: ISSUER, sub: 'alice', sid: 'sid-1', iat: NOW - 100, ...claims })
    return one
  }

  const logout = (claims: object): Promise<void> =>
    sessions.onLogoutToken({ iss: ISSUER, iat: NOW, events: { [LOGOUT_EVENT]: {} }, ...claims })

  describe('after a logout token with its sid', () => {
    beforeEach(() => logout({ sub: 'alice', sid: 'sid-1' }))

    it('is logged out', async () => {
      assert.equal(await sessions.isLoggedOut(session()), true)
    })

    it('is logged out even if its login came later: its code may have been under way', async () => {
      assert.equal(await sessions.isLoggedOut(session({ iat: NOW + 10 })), true)
    })

    it('lives on if its sid is another one, or its issuer, or both have the same text elsewhere', async () => {
      for (const other of [{ sid: 'sid-2' }, { iss: 'https://other.example' }, { sub: 'sid-1', sid: 'alice' }]) {
        assert.equal(await sessions.isLoggedOut(session(other)), false)
      }
    })

    it('is logged out if it has no sid and is not younger than the logout: it may be the one that is meant', async () => {
      assert.equal(await sessions.isLoggedOut(session({ sid: undefined })), true)
      assert.equal(await sessions.isLoggedOut(session({ sid: undefined, iat: NOW + 1 })), false)
      assert.equal(await sessions.isLoggedOut(session({ sid: undefined, sub: 'bob' })), false)
    })
  })

  it('is logged out by a token that has its sid alone', async () => {
    await logout({ sid: 'sid-1' })
    assert.equal(await sessions.isLoggedOut(session()), true)
    assert.equal(await sessions.isLoggedOut(session({ sid: undefined })), false)
  })

  describe('after a logout token with its sub alone', () => {
    it('is logged out with all others of this user that are not younger', async () => {
      await logout({ sub: 'alice' })
      for (const older of [{}, { sid: 'sid-2' }, { sid: undefined }, { iat: NOW }]) {
        assert.equal(await sessions.isLoggedOut(session(older)), true)
      }
      for (const other of [{ iat: NOW + 1 }, { sub: 'bob' }, { sub: 'Alice' }, { iss: 'https://other.example' }]) {
        assert.equal(await sessions.isLoggedOut(session(other)), false)
      }
    })

    it('lives on if the user logged in after the event that the token tells of, however late it is sent', async () => {
      await logout({ sub: 'alice', toe: NOW - 3600 })
      assert.equal(await sessions.isLoggedOut(session({ iat: NOW - 3600 })), true)
      assert.equal(await sessions.isLoggedOut(session({ iat: NOW - 3599 })), false)
    })

    it('is validated by the iat of a token whose time of event is later, or is no time', async () => {
      for (const toe of [NOW + 3600, Number.NaN, '1', null, {}]) {
        await logout({ sub: 'alice', toe })
        assert.equal(await sessions.isLoggedOut(session({ iat: NOW })), true)
        assert.equal(await sessions.isLoggedOut(session({ iat: NOW + 1 })), false)
      }
    })

    it('stays logged out when an older logout arrives after a newer one', async () => {
      await logout({ sub: 'alice', toe: NOW - 10 })
      await logout({ sub: 'alice', toe: NOW - 1000 })
      assert.equal(await sessions.isLoggedOut(session({ iat: NOW - 500 })), true)
    })

    it('stays logged out when the user logs in once more', async () => {
      const old = session()
      await logout({ sub: 'alice' })
      assert.equal(await sessions.isLoggedOut(session({ iat: NOW + 5, sid: 'sid-2' })), false)
      assert.equal(await sessions.isLoggedOut(old), true)
    })
  })

  it('takes part in the logout of its newest login', async () => {
    const one = session()
    await logout({ sid: 'sid-1' })
    sessions.onLogin(one, { iss: ISSUER, sub: 'alice', sid: 'sid-2', iat: NOW + 5 })
    assert.equal(await sessions.isLoggedOut(one), false)
    await logout({ sid: 'sid-2' })
    assert.equal(await sessions.isLoggedOut(one), true)
  })

  it('survives being stored as JSON, and keeps of the ID token what is needed and no more', () => {
    const one = session({ email: 'alice@example.com' } as object)
    assert.deepEqual(JSON.parse(JSON.stringify(one)), {
      backChannelLogin: { iss: ISSUER, sub: 'alice', sid: 'sid-1', iat: NOW - 100 },
    })
  })

  it('keeps no sid where the ID token has none, or one that is no text', () => {
    for (const sid of [undefined, null, '', 7]) {
      assert.deepEqual(session({ sid }), { backChannelLogin: { iss: ISSUER, sub: 'alice', iat: NOW - 100 } })
    }
  })

  it('is not logged out when there is none, or nobody logged in', async () => {
    await logout({ sub: 'alice' })
    for (const none of [undefined, null, {}, { cart: [] }]) assert.equal(await sessions.isLoggedOut(none), false)
  })

  it('is logged out when nobody can read which login it stems from', async () => {
    for (const login of [undefined, null, 1, 'x', [], {}, { iss: ISSUER, sub: 'alice' }]) {
      assert.equal(await sessions.isLoggedOut({ backChannelLogin: login }), true)
    }
  })

  it('lives exactly as the rule says, for all logins and logouts in any order', async () => {
    const time = fc.integer({ min: NOW - 5, max: NOW + 5 })
    const who = { sub: fc.constantFrom('a', 'b'), sid: fc.option(fc.constantFrom('1', '2'), { nil: undefined }) }
    const login = fc.record({ iss: fc.constantFrom('x', 'y'), ...who, iat: time })
    const token = fc.record({
      iss: fc.constantFrom('x', 'y'),
      ...who,
      iat: time,
      toe: fc.option(time, { nil: undefined }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(login, { maxLength: 4 }), fc.array(token, { maxLength: 6 }), async (logins, tokens) => {
        const some = loggedOutSessions({ store: new MemoryLoggedOutStore(), sessionMaxAgeSeconds: DAY, logger: silent })
        for (const one of tokens) await some.onLogoutToken(one)
        for (const one of logins) {
          const its = {}
          some.onLogin(its, one)
          const expected = tokens.some((logout) => {
            if (logout.iss !== one.iss) return false
            if (logout.sid !== undefined && one.sid !== undefined) return logout.sid === one.sid
            return logout.sub === one.sub && one.iat <= Math.min(logout.toe ?? logout.iat, logout.iat)
          })
          assert.equal(await some.isLoggedOut(its), expected)
        }
      }),
    )
  })
})

describe('loggedOutSessions', () => {
  const recording = (): { store: LoggedOutStore; entries: LoggedOutEntry[] } => {
    const entries: LoggedOutEntry[] = []
    return { entries, store: { remember: async (more) => void entries.push(...more), recall: async () => [] } }
  }

  it('lets the store forget a logout an hour after the longest session, and shows it no user', async () => {
    const { store, entries } = recording()
    const sessions = loggedOutSessions({ store, sessionMaxAgeSeconds: 600, now: () => NOW * 1000, logger: silent })
    await sessions.onLogoutToken({ iss: ISSUER, sub: 'alice', sid: 'sid-1', iat: NOW - 7 })
    assert.equal(entries.length, 2)
    for (const { key, ...times } of entries) {
      assert.match(key, /^[\w-]{43}$/)
      assert.deepEqual(times, { loggedOutAt: NOW - 7, expiresAt: NOW + 600 + 3600, now: NOW })
    }
  })

  it('stores one entry for a token with one of sub and sid', async () => {
    for (const one of [{ sub: 'alice' }, { sid: 'sid-1' }, { sub: 'alice', sid: '' }]) {
      const { store, entries } = recording()
      const sessions = loggedOutSessions({ store, sessionMaxAgeSeconds: 600, logger: silent })
      await sessions.onLogoutToken({ iss: ISSUER, iat: NOW, ...one })
      assert.equal(entries.length, 1, JSON.stringify(one))
    }
  })

  it('rejects what is no logout token and no ID token, without a word about whose', async () => {
    const { store, entries } = recording()
    const sessions = loggedOutSessions({ store, sessionMaxAgeSeconds: 600, logger: silent })
    for (const claims of [{}, { iss: ISSUER, sub: 'alice' }, { iss: ISSUER, iat: NOW }, { sub: 'alice', iat: NOW }]) {
      await assert.rejects(sessions.onLogoutToken(claims), { name: 'TypeError', message: /^(?!.*alice)/ })
    }
    assert.deepEqual(entries, [])
    const session = {}
    const login = { iss: ISSUER, sub: 'alice', iat: NOW }
    for (const claims of [
      ...[
        undefined,
        null,
        [],
        {},
        { ...login, iss: undefined },
        { ...login, sub: undefined },
        { ...login, iat: undefined },
      ],
      ...[
        { ...login, iss: '' },
        { ...login, sub: '' },
        { ...login, iat: '1' },
        { ...login, iat: Number.NaN },
      ],
    ]) {
      const call = () => sessions.onLogin(session, claims as unknown as IdTokenClaims)
      assert.throws(call, { code: 'OPTION_INVALID', option: 'claims' })
    }
    assert.deepEqual(session, {})
  })

  it('fails when its store does: a logout is not acknowledged, and nobody passes for logged in', async () => {
    const down = new Error('down')
    const store: LoggedOutStore = { remember: () => Promise.reject(down), recall: () => Promise.reject(down) }
    const sessions = loggedOutSessions({ store, sessionMaxAgeSeconds: 600, logger: silent })
    const op = await testIssuer()
    const handle = logoutRequestHandler({ ...op.options, onLogout: sessions.onLogout })
    const contentType = 'application/x-www-form-urlencoded'
    const answer = await handle({ method: 'POST', contentType, body: { logout_token: await op.token() } })
    assert.equal(answer.status, 503)
    assert.equal(answer.error, down)
    const session = {}
    sessions.onLogin(session, { iss: ISSUER, sub: 'alice', iat: NOW })
    await assert.rejects(sessions.isLoggedOut(session), down)
  })

  it('fails when its store does not answer in time', async () => {
    const hung = <T>(): Promise<T> => new Promise(() => {})
    const store: LoggedOutStore = { remember: hung, recall: hung }
    const sessions = loggedOutSessions({ store, sessionMaxAgeSeconds: 600, timeoutMs: 20, logger: silent })
    const unavailable = { name: 'ReceiverStoreError', code: 'STORE_UNAVAILABLE', message: /20 ms/ }
    await assert.rejects(sessions.onLogoutToken({ iss: ISSUER, sub: 'alice', iat: NOW }), unavailable)
    const session = {}
    sessions.onLogin(session, { iss: ISSUER, sub: 'alice', iat: NOW })
    await assert.rejects(sessions.isLoggedOut(session), unavailable)
  })

  it('is the onLogout of the receiver as it stands', async () => {
    const { onLogin, onLogout, isLoggedOut } = loggedOutSessions({
      store: new MemoryLoggedOutStore(),
      sessionMaxAgeSeconds: 600,
      logger: silent,
    })
    const op = await testIssuer()
    const session = {}
    onLogin(session, { iss: ISSUER, sub: 'alice', sid: 'session-1', iat: NOW - 5 })
    const handle = logoutRequestHandler({ ...op.options, onLogout })
    const contentType = 'application/x-www-form-urlencoded'
    const answer = await handle({ method: 'POST', contentType, body: { logout_token: await op.token() } })
    assert.equal(answer.status, 200)
    assert.equal(await isLoggedOut(session), true)
  })

  it('refuses unknown and wrong options', () => {
    const good: LoggedOutSessionsOptions = { store: new MemoryLoggedOutStore(), sessionMaxAgeSeconds: 600 }
    const refused = (more: object, option: string): void =>
      assert.throws(() => loggedOutSessions({ ...good, ...more }), { code: 'OPTION_INVALID', option })
    refused({ maxAge: 1 }, 'maxAge')
    for (const store of [undefined, null, {}, new Map(), { remember() {} }, { recall() {} }])
      refused({ store }, 'store')
    for (const seconds of [undefined, '600', 0, -1, Number.POSITIVE_INFINITY]) {
      refused({ sessionMaxAgeSeconds: seconds }, 'sessionMaxAgeSeconds')
    }
    refused({ now: 1 }, 'now')
    refused({ timeoutMs: 0 }, 'timeoutMs')
    loggedOutSessions({ ...good, sessionMaxAgeSeconds: 0.5, timeoutMs: 0.5 })
    for (const logger of [null, {}, { warn: true }]) refused({ logger }, 'logger')
  })
})

describe('a receiver that is only half set up', () => {
  const logged = (more: Partial<LoggedOutSessionsOptions> = {}) => {
    const events: unknown[] = []
    const logger = {
      warn: (fields: object, message: string) => {
        assert.match(message, /since this process started/)
        events.push((fields as { event: unknown }).event)
      },
    }
    const store = new MemoryLoggedOutStore()
    const sessions = loggedOutSessions({ store, sessionMaxAgeSeconds: DAY, now: () => NOW * 1000, logger, ...more })
    return { events, sessions }
  }
  const login = { iss: ISSUER, sub: 'alice', sid: 'sid-1', iat: NOW - 100 }
  const logout = { iss: ISSUER, sub: 'alice', sid: 'sid-1', iat: NOW }

  it('says at the first logout, and once, that onLogin was never called and no session checked', async () => {
    const { events, sessions } = logged()
    for (let count = 0; count < 3; count += 1) await sessions.onLogoutToken(logout)
    assert.deepEqual(events, ['login_never_recorded', 'session_never_checked'])
  })

  it('says that onLogin was never called when sessions are checked and none holds a login', async () => {
    const { events, sessions } = logged()
    for (const session of [undefined, null, {}, { cart: [] }]) await sessions.isLoggedOut(session)
    assert.deepEqual(events, [], 'people who are not logged in are none of its business')
    await sessions.onLogoutToken(logout)
    assert.deepEqual(events, ['login_never_recorded'])
  })

  it('says that no session is ever checked when onLogin is called', async () => {
    const { events, sessions } = logged()
    sessions.onLogin({}, login)
    await sessions.onLogoutToken(logout)
    assert.deepEqual(events, ['session_never_checked'])
  })

  it('says so though its store fails too, and through the receiver as well', async () => {
    const store: LoggedOutStore = { remember: () => Promise.reject(new Error('down')), recall: async () => [] }
    const { events, sessions } = logged({ store })
    const op = await testIssuer()
    const handle = logoutRequestHandler({ ...op.options, onLogout: sessions.onLogout })
    const contentType = 'application/x-www-form-urlencoded'
    await handle({ method: 'POST', contentType, body: { logout_token: 'forged' } })
    assert.deepEqual(events, [], 'a token that is refused says nothing')
    await handle({ method: 'POST', contentType, body: { logout_token: await op.token() } })
    assert.equal(events.length, 2)
  })

  it('says nothing in a process that meets a session of another process, or records a login and checks', async () => {
    const elsewhere = {}
    logged().sessions.onLogin(elsewhere, login)
    const { events, sessions } = logged()
    await sessions.isLoggedOut(elsewhere)
    await sessions.onLogoutToken(logout)
    const one = logged()
    await one.sessions.isLoggedOut(undefined)
    one.sessions.onLogin({}, login)
    await one.sessions.onLogoutToken(logout)
    assert.deepEqual([...events, ...one.events], [])
  })

  it('is not made silent by an onLogin that was refused', async () => {
    const { events, sessions } = logged()
    assert.throws(() => sessions.onLogin({}, {} as IdTokenClaims), TypeError)
    await sessions.onLogoutToken(logout)
    assert.ok(events.includes('login_never_recorded'))
  })

  it('says it on the console where the RP gives no logger, and from which package it comes', async () => {
    const { warn } = console
    const lines: unknown[][] = []
    console.warn = (...line: unknown[]) => void lines.push(line)
    try {
      const store = new MemoryLoggedOutStore()
      await loggedOutSessions({ store, sessionMaxAgeSeconds: DAY }).onLogoutToken(logout)
    } finally {
      console.warn = warn
    }
    assert.deepEqual(
      lines.map(([line]) => String(line).split(': ')[0]),
      ['login_never_recorded', 'session_never_checked'].map((event) => `oidc-provider-eventstore WARN ${event}`),
    )
  })
})

describe('MemoryLoggedOutStore', () => {
  it('keeps an entry until the later of two expiries, whichever came last', async () => {
    const store = new MemoryLoggedOutStore()
    const entry = (key: string, now: number, expiresAt: number): LoggedOutEntry => ({
      key,
      loggedOutAt: 1,
      expiresAt,
      now,
    })
    for (const [key, first, second] of [
      ['a', 500, 50],
      ['b', 50, 500],
      ['c', 50, 50],
    ] as const) {
      await store.remember([entry(key, 0, first)])
      await store.remember([entry(key, 0, second)])
    }
    await store.remember([entry('d', 100, 500)])
    assert.deepEqual(await store.recall(['a', 'b', 'c']), [1, 1, undefined])
  })

  it('looks for what has expired once a minute, not at each logout', async () => {
    const store = new MemoryLoggedOutStore()
    const sizes: number[] = []
    for (const now of [0, 59, 60, 119, 120]) {
      await store.remember([{ key: `${now}`, loggedOutAt: now, expiresAt: now + 1, now }])
      sizes.push(store.size)
    }
    assert.deepEqual(sizes, [1, 2, 1, 2, 1])
  })

  it('rejects a logout that finds no room, and forgets none that counts', async () => {
    const store = new MemoryLoggedOutStore({ maxEntries: 2 })
    const entry = (key: string, now: number): LoggedOutEntry => ({ key, loggedOutAt: now, expiresAt: now + 100, now })
    await store.remember([entry('a', 0), entry('b', 10)])
    await assert.rejects(store.remember([entry('c', 20)]), { name: 'ReceiverStoreError', code: 'STORE_FULL' })
    await store.remember([entry('b', 30)])
    assert.deepEqual(await store.recall(['a', 'b', 'c']), [0, 30, undefined])
    await store.remember([entry('c', 100)])
    assert.deepEqual(await store.recall(['b', 'c']), [30, 100])
  })

  it('refuses unknown and wrong options', () => {
    assert.throws(() => new MemoryLoggedOutStore({ max: 1 } as object), { code: 'OPTION_INVALID', option: 'max' })
    assert.throws(() => new MemoryLoggedOutStore({ maxEntries: 0 }), { code: 'OPTION_INVALID', option: 'maxEntries' })
  })

  it('forgets what has expired, and nothing else', async () => {
    const store = new MemoryLoggedOutStore()
    for (let now = 0; now < 2000; now += 1) {
      await store.remember([{ key: `${now}`, loggedOutAt: now, expiresAt: now + 50, now }])
      assert.ok(store.size <= 50 + 60, `${store.size} remembered`)
      assert.deepEqual(await store.recall([`${Math.max(0, now - 49)}`]), [Math.max(0, now - 49)])
    }
  })
})
