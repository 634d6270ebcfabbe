import assert from 'node:assert/strict'
import { MemoryStore } from 'express-session'
import {
  expressSessionLoggedOutStore,
  type KoaSessionStore,
  koaSessionLoggedOutStore,
  type LoggedOutEntry,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { keyValueLoggedOutStore } from '../../plugins/back-channel-logout-receiver/sessions/key-value-logged-out-store.ts'
import { loggedOutStoreContract } from '../contract/logged-out-store.ts'
import { FakeClock } from '../support/fake-clock.ts'

loggedOutStoreContract('a store of express-session', async () => expressSessionLoggedOutStore(new MemoryStore()))

loggedOutStoreContract('an external store of koa-session', async () => koaSessionLoggedOutStore(koaStore().store))

/** Answers later, as a database does, so that reads and writes of several calls mix. */
function koaStore(): { store: KoaSessionStore; written: { key: string; value: unknown; maxAgeMs: number }[] } {
  const values = new Map<string, string>()
  const written: { key: string; value: unknown; maxAgeMs: number }[] = []
  const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  return {
    written,
    store: {
      async get(key) {
        await later()
        const value = values.get(key)
        await later()
        return value === undefined ? undefined : JSON.parse(value)
      },
      async set(key, value, maxAgeMs) {
        await later()
        written.push({ key, value, maxAgeMs })
        values.set(key, JSON.stringify(value))
      },
    },
  }
}

describe('a session store that remembers logouts', () => {
  let now: number
  let entry: LoggedOutEntry

  beforeEach(() => {
    now = Math.floor(Date.now() / 1000)
    entry = { key: 'a', loggedOutAt: now - 1, expiresAt: now + 100, now }
  })

  it('of koa-session is told how long to keep them, under keys that are no session ids', async () => {
    const { store, written } = koaStore()
    await koaSessionLoggedOutStore(store).remember([entry])
    assert.deepEqual(written, [
      { key: 'logged-out-a', value: { loggedOutAt: now - 1, expiresAt: now + 100 }, maxAgeMs: 100_000 },
    ])
  })

  it('of koa-session is asked as koa-session asks it', async () => {
    const calls: unknown[][] = []
    const store = koaSessionLoggedOutStore({
      get: (...given) => void calls.push(given),
      set: (...given) => void calls.push(given.slice(2)),
    })
    await store.remember([entry])
    await store.recall(['a'])
    const get = ['logged-out-a', 86_400_000, { rolling: false }]
    assert.deepEqual(calls, [get, [100_000, { rolling: false, changed: true }], get])
  })

  it('of express-session is told in the cookie, where such stores look for it', async () => {
    const store = new MemoryStore()
    await expressSessionLoggedOutStore(store).remember([entry])
    const all = await new Promise((resolve) => store.all?.((_error, sessions) => resolve(sessions)))
    assert.deepEqual(Object.keys(all as object), ['logged-out-a'])
    const { cookie } = (all as Record<string, { cookie: Record<string, unknown> }>)['logged-out-a'] ?? {}
    assert.equal(cookie?.['maxAge'], 100_000)
    assert.equal(cookie?.['expires'], new Date((now + 100) * 1000).toISOString())
  })

  it('keeps a logout for the longer of two times', async () => {
    const { store, written } = koaStore()
    const keeping = koaSessionLoggedOutStore(store)
    await keeping.remember([{ ...entry, expiresAt: now + 500 }])
    await keeping.remember([entry])
    assert.equal(written.at(-1)?.maxAgeMs, 500_000)
  })

  it('fails with the store, whether it calls back with an error, throws or rejects', async () => {
    const down = new Error('down')
    const broken = [
      expressSessionLoggedOutStore({ get: (_id, done) => done(down), set: (_id, _value, done) => done?.(down) }),
      expressSessionLoggedOutStore({
        get() {
          throw down
        },
        set() {
          throw down
        },
      }),
      expressSessionLoggedOutStore({ get: (_id, done) => done(null, null), set: (_id, _value, done) => done?.(down) }),
      koaSessionLoggedOutStore({ get: () => Promise.reject(down), set: () => Promise.reject(down) }),
      koaSessionLoggedOutStore({ get: () => undefined, set: () => Promise.reject(down) }),
    ]
    for (const store of broken) await assert.rejects(store.remember([entry]), down)
    for (const store of [broken[0], broken[1], broken[3]]) await assert.rejects(async () => store?.recall(['a']), down)
  })

  it('goes on after a failure', async () => {
    const { store } = koaStore()
    let failures = 1
    const flaky = koaSessionLoggedOutStore({
      get: (...given) => store.get(...given),
      set: (...given) => (failures-- > 0 ? Promise.reject(new Error('down')) : store.set(...given)),
    })
    const [first, second] = await Promise.allSettled([flaky.remember([entry]), flaky.remember([entry])])
    assert.deepEqual([first?.status, second?.status], ['rejected', 'fulfilled'])
    assert.deepEqual(await flaky.recall(['a']), [now - 1])
  })

  it('that does not answer is given up after three seconds, and asked again for the next logout', async () => {
    const clock = new FakeClock()
    let answers = false
    let calls = 0
    const get = async (): Promise<unknown> => {
      calls += 1
      return answers ? undefined : new Promise(() => {})
    }
    const store = keyValueLoggedOutStore({ get, set: async () => {} }, {}, clock)
    const unavailable = { name: 'ReceiverStoreError', code: 'STORE_UNAVAILABLE', message: /3000 ms/ }
    const first = assert.rejects(store.remember([entry]), unavailable)
    const second = assert.rejects(store.remember([entry]), unavailable)
    const recalled = assert.rejects(store.recall(['a']), unavailable)
    await clock.advance(2_999)
    assert.equal(calls, 2)
    await clock.advance(1)
    await Promise.all([first, recalled])
    await clock.advance(3_000)
    await second
    answers = true
    await store.remember([entry])
    assert.equal(clock.pending, 0)
  })

  it('has a limit of its own for each call', async () => {
    const hung = { get: () => new Promise(() => {}), set: () => {} }
    const never = { get() {}, set() {} }
    for (const store of [
      koaSessionLoggedOutStore(hung, { timeoutMs: 20 }),
      expressSessionLoggedOutStore(never, { timeoutMs: 20 }),
    ]) {
      await assert.rejects(store.recall(['a']), { code: 'STORE_UNAVAILABLE', message: /20 ms/ })
    }
    for (const make of [koaSessionLoggedOutStore, expressSessionLoggedOutStore]) {
      assert.throws(() => make(never, { timeoutMs: 0 }), { code: 'OPTION_INVALID', option: 'timeoutMs' })
      assert.throws(() => make(never, { timeout: 1 } as object), { code: 'OPTION_INVALID', option: 'timeout' })
    }
  })

  it('that failed in one write fails those that were merged into it, and no later one', async () => {
    const { store } = koaStore()
    const failing = new Set([1, 2])
    let writes = 0
    const flaky = koaSessionLoggedOutStore({
      get: (...given) => store.get(...given),
      set: (...given) => (failing.has(++writes) ? Promise.reject(new Error('down')) : store.set(...given)),
    })
    const ends = await Promise.allSettled([1, 2, 3].map(() => flaky.remember([entry])))
    assert.deepEqual(
      ends.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected'],
    )
    assert.equal(writes, 2)
    await flaky.remember([entry])
    assert.deepEqual(await flaky.recall(['a']), [now - 1])
  })

  it('never takes what is not its own for "not logged out"', async () => {
    for (const value of [
      'x',
      1,
      true,
      {},
      [],
      { loggedOutAt: '1', expiresAt: 2 },
      { loggedOutAt: 1, expiresAt: '2' },
    ]) {
      const store = koaSessionLoggedOutStore({ get: async () => value, set: async () => {} })
      await assert.rejects(store.recall(['a']), TypeError)
    }
    for (const nothing of [undefined, null, false]) {
      const store = koaSessionLoggedOutStore({ get: () => nothing, set: () => {} })
      assert.deepEqual(await store.recall(['a']), [undefined])
    }
  })

  it('is refused when it has no get or set', () => {
    const refused = { code: 'OPTION_INVALID', option: 'store' }
    for (const store of [undefined, {}, { get() {} }, new Set()]) {
      assert.throws(() => expressSessionLoggedOutStore(store as never), refused)
      assert.throws(() => koaSessionLoggedOutStore(store as never), refused)
    }
  })
})
