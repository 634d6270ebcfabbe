import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  koaSessionLoggedOutStore,
  type LoggedOutEntry,
  MemoryLoggedOutStore,
  MemoryReplayStore,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { RemoteKeySet } from '../../plugins/back-channel-logout-receiver/remote-key-set.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { NOW, type TestIssuer, testIssuer } from '../unit/receiver-issuer.ts'

const SIZES = [1, 100, 10_000]
/** What a heap may grow by for reasons of its own. */
const NOISE_BYTES = 4 * 1024 * 1024

describe('what others decide the number of costs the receiver', () => {
  let op: TestIssuer

  before(async () => {
    op = await testIssuer()
  })

  for (const up of [true, false]) {
    it(`one fetch of a jwks_uri that is ${up ? 'up' : 'down'}, for 1, 100 and 10,000 tokens with invented keys`, async () => {
      for (const size of SIZES) {
        let fetches = 0
        const keySet = new RemoteKeySet(new URL('https://op.example/jwks'), {
          clock: new FakeClock(),
          async fetch() {
            fetches += 1
            if (up) return structuredClone(op.jwks)
            throw new Error('connection refused')
          },
        })
        for (let index = 0; index < size; index += 1) {
          const lookup = async (): Promise<unknown> =>
            keySet.getKey({ alg: 'ES256', kid: `invented ${index}` }, { payload: '', signature: '' })
          await assert.rejects(lookup, { name: 'LogoutTokenError' })
        }
        assert.equal(fetches, 1, `${fetches} fetches for ${size} tokens`)
      }
    })
  }

  it('at most two reads and two writes of a session store, for 1, 100 and 10,000 logouts of one user at once', async () => {
    for (const size of SIZES) {
      let [reads, writes] = [0, 0]
      let value: unknown
      const store = koaSessionLoggedOutStore({
        async get() {
          reads += 1
          return value
        },
        async set(_key, written) {
          writes += 1
          value = written
        },
      })
      const entries = Array.from({ length: size }, (_, index): LoggedOutEntry => {
        const loggedOutAt = NOW - ((index * 7_919) % size)
        return { key: 'alice', loggedOutAt, expiresAt: NOW + 600, now: NOW }
      })
      await Promise.all(entries.map((entry) => store.remember([entry])))
      assert.ok(reads <= 2 && writes <= 2, `${reads} reads and ${writes} writes for ${size} logouts`)
      assert.deepEqual(await store.recall(['alice']), [NOW])
    }
  })

  it('no more entries in memory than it may have, for 1, 100 and 10,000 logouts', async () => {
    for (const size of SIZES) {
      const maxEntries = 100
      const replays = new MemoryReplayStore({ maxEntries })
      const logouts = new MemoryLoggedOutStore({ maxEntries })
      let rejected = 0
      for (let index = 0; index < size; index += 1) {
        const jti = `${index}`
        const all = await Promise.allSettled([
          replays.reserve({ issuer: 'op', jti, now: NOW, expiresAt: NOW + 120 }),
          logouts.remember([{ key: jti, loggedOutAt: NOW, expiresAt: NOW + 120, now: NOW }]),
        ])
        rejected += all.filter(({ status }) => status === 'rejected').length
      }
      assert.deepEqual([replays.size, logouts.size], [Math.min(size, 100), Math.min(size, 100)])
      assert.equal(rejected, 2 * Math.max(0, size - 100))
    }
  })

  it('no memory for 50,000 logouts that a session store has stored', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    const store = koaSessionLoggedOutStore({ get: () => undefined, set: () => undefined })
    const rememberMany = async (from: number, to: number): Promise<number> => {
      for (let index = from; index < to; index += 1) {
        await store.remember([{ key: `${index}`.padStart(43, '0'), loggedOutAt: NOW, expiresAt: NOW + 600, now: NOW }])
      }
      collectGarbage()
      return process.memoryUsage().heapUsed
    }
    const before = await rememberMany(0, 1_000)
    const grown = (await rememberMany(1_000, 51_000)) - before
    assert.ok(grown < NOISE_BYTES, `${grown} bytes`)
  })

  it('no more memory for 1,000 tokens whose jti has 60,000 letters than for 1,000 others', async () => {
    setFlagsFromString('--expose-gc')
    const collectGarbage = runInNewContext('gc') as () => void
    const store = new MemoryReplayStore()
    const heapBytes = (): number => {
      collectGarbage()
      return process.memoryUsage().heapUsed
    }
    const before = heapBytes()
    for (let index = 0; index < 1_000; index += 1) {
      const jti = `${index}`.padEnd(60_000, Math.random().toString(36))
      await store.reserve({ issuer: 'op', jti, now: NOW, expiresAt: NOW + 120 })
    }
    assert.equal(store.size, 1_000)
    const grown = heapBytes() - before
    assert.ok(grown < NOISE_BYTES, `${grown} bytes`)
  })
})
