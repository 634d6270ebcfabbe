import assert from 'node:assert/strict'
import {
  type LogoutTokenReplayStore,
  MemoryReplayStore,
  type ReplayEntry,
  verifyLogoutToken,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { logoutTokenReplayStoreContract } from '../contract/logout-token-replay-store.ts'
import { ISSUER, NOW, refusal, type TestIssuer, testIssuer } from './receiver-issuer.ts'

logoutTokenReplayStoreContract('MemoryReplayStore', async (options) => new MemoryReplayStore(options))

describe('MemoryReplayStore', () => {
  it('forgets tokens that have expired, and no others', async () => {
    const store = new MemoryReplayStore()
    for (let index = 0; index < 1000; index += 1) {
      const reservation = await store.reserve({ issuer: 'op', jti: `${index}`, now: index, expiresAt: index + 50 })
      if (reservation.outcome === 'reserved') await reservation.commit()
      assert.ok(store.size <= 61, `${store.size} remembered`)
      const recent = await store.reserve({
        issuer: 'op',
        jti: `${Math.max(0, index - 49)}`,
        now: index,
        expiresAt: index + 1,
      })
      assert.equal(recent.outcome, 'used')
    }
  })

  it('rejects a token that finds no room, forgets none that counts, and takes it when one has expired', async () => {
    const store = new MemoryReplayStore({ maxEntries: 2 })
    const reserve = (jti: string, now: number) => store.reserve({ issuer: 'op', jti, now, expiresAt: now + 50 })
    await reserve('a', 0)
    const second = await reserve('b', 10)
    await assert.rejects(reserve('c', 10), { name: 'ReceiverStoreError', code: 'STORE_FULL' })
    assert.equal((await reserve('a', 10)).outcome, 'in_progress')
    assert.equal(second.outcome, 'reserved')
    assert.equal((await reserve('c', 50)).outcome, 'reserved')
    await assert.rejects(reserve('d', 50), { code: 'STORE_FULL' })
    if (second.outcome === 'reserved') await second.release()
    assert.equal((await reserve('d', 50)).outcome, 'reserved')
  })

  it('lets a lapsed reservation be taken over though there is no room for another token', async () => {
    const store = new MemoryReplayStore({ maxEntries: 1, leaseSeconds: 5 })
    const reserve = (jti: string, now: number) => store.reserve({ issuer: 'op', jti, now, expiresAt: 100 })
    await reserve('a', 0)
    await assert.rejects(reserve('b', 5), { code: 'STORE_FULL' })
    assert.equal((await reserve('a', 5)).outcome, 'reserved')
  })

  it('looks for what has expired every ten seconds, not at each token', async () => {
    const store = new MemoryReplayStore()
    const sizes: number[] = []
    for (const now of [0, 9, 10, 19, 20]) {
      await store.reserve({ issuer: 'op', jti: `${now}`, now, expiresAt: now + 1 })
      sizes.push(store.size)
    }
    assert.deepEqual(sizes, [1, 2, 1, 2, 1])
  })

  it('has a lease of a minute by default', async () => {
    const store = new MemoryReplayStore()
    const reserve = (now: number) => store.reserve({ issuer: 'op', jti: 'a', now, expiresAt: 100 })
    await reserve(0)
    assert.equal((await reserve(59)).outcome, 'in_progress')
    assert.equal((await reserve(60)).outcome, 'reserved')
  })

  it('refuses unknown and wrong options', () => {
    assert.throws(() => new MemoryReplayStore({ lease: 1 } as object), { code: 'OPTION_INVALID', option: 'lease' })
    assert.throws(() => new MemoryReplayStore({ leaseSeconds: -1 }), { code: 'OPTION_INVALID', option: 'leaseSeconds' })
    for (const maxEntries of [0, -1, 1.5, Number.POSITIVE_INFINITY, '1'] as number[]) {
      assert.throws(() => new MemoryReplayStore({ maxEntries }), { code: 'OPTION_INVALID', option: 'maxEntries' })
    }
  })
})

describe('verifyLogoutToken with a replay store', () => {
  let op: TestIssuer

  before(async () => {
    op = await testIssuer()
  })

  it('takes each token once, and others of the same user', async () => {
    const options = { ...op.options, replayStore: new MemoryReplayStore() }
    const token = await op.token()
    await verifyLogoutToken(token, options)
    await assert.rejects(verifyLogoutToken(token, options), refusal('replayed'))
    await verifyLogoutToken(await op.token(), options)
  })

  it('remembers the token as long as it could be taken, tolerance included', async () => {
    let now = NOW
    const options = { ...op.options, replayStore: new MemoryReplayStore(), now: () => now * 1000 }
    for (const claims of [{ exp: NOW + 20 }, { exp: NOW + 100_000 }]) {
      now = NOW
      const token = await op.token({ claims })
      await verifyLogoutToken(token, options)
      for (; now < NOW + 1000; now += 1) {
        const error: unknown = await verifyLogoutToken(token, options).catch((reason: unknown) => reason)
        assert.ok(error instanceof Error && 'code' in error)
        if (error.code !== 'replayed') break
      }
      assert.equal(now, claims.exp === NOW + 20 ? NOW + 50 : NOW + 329)
    }
  })

  it('lets the store forget a token as soon as it is too old, however late its exp', async () => {
    const entries: ReplayEntry[] = []
    const memory = new MemoryReplayStore()
    const replayStore: LogoutTokenReplayStore = {
      reserve(entry) {
        entries.push(entry)
        return memory.reserve(entry)
      },
    }
    const options = { ...op.options, replayStore, maxAgeSeconds: 100, clockToleranceSeconds: 10 }
    await verifyLogoutToken(await op.token({ claims: { jti: 'late', iat: NOW - 1, exp: NOW + 1e9 } }), options)
    await verifyLogoutToken(await op.token({ claims: { jti: 'soon', iat: NOW - 1, exp: NOW + 20 } }), options)
    assert.deepEqual(entries, [
      { issuer: ISSUER, jti: 'late', now: NOW, expiresAt: NOW + 109 },
      { issuer: ISSUER, jti: 'soon', now: NOW, expiresAt: NOW + 30 },
    ])
  })

  it('does not remember tokens that break a rule', async () => {
    const replayStore = new MemoryReplayStore()
    await assert.rejects(
      verifyLogoutToken(await op.token({ claims: { nonce: 'n' } }), { ...op.options, replayStore }),
      refusal('nonce_present'),
    )
    assert.equal(replayStore.size, 0)
  })

  it('cannot validate while the store is down, or answers nonsense', async () => {
    const down: LogoutTokenReplayStore = { reserve: () => Promise.reject(new Error('down')) }
    const throwing = {
      reserve() {
        throw new Error('down')
      },
    } as LogoutTokenReplayStore
    const silly = { reserve: async () => ({ outcome: 'perhaps' }) } as unknown as LogoutTokenReplayStore
    const mute = { reserve: async () => undefined } as unknown as LogoutTokenReplayStore
    const message = { ...refusal('replay_store_unavailable'), message: /unknown outcome/ }
    await assert.rejects(verifyLogoutToken(await op.token(), { ...op.options, replayStore: silly }), message)
    for (const replayStore of [down, throwing, silly, mute]) {
      await assert.rejects(
        verifyLogoutToken(await op.token(), { ...op.options, replayStore }),
        refusal('replay_store_unavailable'),
      )
    }
  })
})
