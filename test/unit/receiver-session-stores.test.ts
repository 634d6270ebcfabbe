import assert from 'node:assert/strict'
import { MemoryStore } from 'express-session'
import {
  inExpressSessionStore,
  inKoaSessionStore,
  type KoaSessionStore,
  type LoggedOutEntry,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { loggedOutStoreContract } from '../contract/logged-out-store.ts'

loggedOutStoreContract('a store of express-session', async () => inExpressSessionStore(new MemoryStore()))

loggedOutStoreContract('an external store of koa-session', async () => inKoaSessionStore(koaStore().store))

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
    await inKoaSessionStore(store).remember([entry])
    assert.deepEqual(written, [
      { key: 'logged-out-a', value: { loggedOutAt: now - 1, expiresAt: now + 100 }, maxAgeMs: 100_000 },
    ])
  })

  it('of express-session is told in the cookie, where such stores look for it', async () => {
    const store = new MemoryStore()
    await inExpressSessionStore(store).remember([entry])
    const all = await new Promise((resolve) => store.all?.((_error, sessions) => resolve(sessions)))
    assert.deepEqual(Object.keys(all as object), ['logged-out-a'])
    const { cookie } = (all as Record<string, { cookie: Record<string, unknown> }>)['logged-out-a'] ?? {}
    assert.equal(cookie?.['maxAge'], 100_000)
    assert.equal(cookie?.['expires'], new Date((now + 100) * 1000).toISOString())
  })

  it('keeps a logout for the longer of two times', async () => {
    const { store, written } = koaStore()
    const keeping = inKoaSessionStore(store)
    await keeping.remember([{ ...entry, expiresAt: now + 500 }])
    await keeping.remember([entry])
    assert.equal(written.at(-1)?.maxAgeMs, 500_000)
  })

  it('fails with the store, whether it calls back with an error, throws or rejects', async () => {
    const down = new Error('down')
    const broken = [
      inExpressSessionStore({ get: (_id, done) => done(down), set: (_id, _value, done) => done?.(down) }),
      inExpressSessionStore({
        get() {
          throw down
        },
        set() {
          throw down
        },
      }),
      inExpressSessionStore({ get: (_id, done) => done(null, null), set: (_id, _value, done) => done?.(down) }),
      inKoaSessionStore({ get: () => Promise.reject(down), set: () => Promise.reject(down) }),
      inKoaSessionStore({ get: () => undefined, set: () => Promise.reject(down) }),
    ]
    for (const store of broken) await assert.rejects(store.remember([entry]), down)
    for (const store of [broken[0], broken[1], broken[3]]) await assert.rejects(async () => store?.recall(['a']), down)
  })

  it('goes on after a failure', async () => {
    const { store } = koaStore()
    let failures = 1
    const flaky = inKoaSessionStore({
      get: (...given) => store.get(...given),
      set: (...given) => (failures-- > 0 ? Promise.reject(new Error('down')) : store.set(...given)),
    })
    const [first, second] = await Promise.allSettled([flaky.remember([entry]), flaky.remember([entry])])
    assert.deepEqual([first?.status, second?.status], ['rejected', 'fulfilled'])
    assert.deepEqual(await flaky.recall(['a']), [now - 1])
  })

  it('never takes what is not its own for "not logged out"', async () => {
    for (const value of ['x', 1, true, {}, { loggedOutAt: '1', expiresAt: 2 }]) {
      const store = inKoaSessionStore({ get: async () => value, set: async () => {} })
      await assert.rejects(store.recall(['a']), TypeError)
    }
    for (const nothing of [undefined, null, false]) {
      const store = inKoaSessionStore({ get: () => nothing, set: () => {} })
      assert.deepEqual(await store.recall(['a']), [undefined])
    }
  })

  it('is refused when it has no get or set', () => {
    const refused = { code: 'OPTION_INVALID', option: 'store' }
    for (const store of [undefined, {}, { get() {} }, new Set()]) {
      assert.throws(() => inExpressSessionStore(store as never), refused)
      assert.throws(() => inKoaSessionStore(store as never), refused)
    }
  })
})
