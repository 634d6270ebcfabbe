import assert from 'node:assert/strict'
import { type Document, MongoClient, type MongoClientOptions } from 'mongodb'
import { type LogoutResponse, logoutRequestHandler } from '../../plugins/back-channel-logout-receiver/index.ts'
import { MongoLoggedOutStore, MongoReplayStore } from '../../plugins/back-channel-logout-receiver/mongodb/index.ts'
import { privateDatabase } from '../support/mongo-database.ts'
import { proxyInFrontOf } from '../support/mongo-proxy.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import { NOW, type TestIssuer, testIssuer } from '../unit/receiver-issuer.ts'

const STEPPED_DOWN = { ok: 0, code: 189, errmsg: 'scripted', codeName: 'PrimarySteppedDown' }
const NO_MAJORITY = { code: 64, errmsg: 'waiting for replication timed out', codeName: 'WriteConcernFailed' }
const UNAUTHORIZED = { ok: 0, code: 13, errmsg: 'scripted', codeName: 'Unauthorized' }

describe('an RP whose replay store is on a MongoDB in trouble', () => {
  const mongo = privateDatabase()
  let op: TestIssuer
  let proxy: TcpProxy
  let client: MongoClient
  let logouts: number
  let now: number
  let collections = 0
  let answerTo: (token: string) => Promise<LogoutResponse>

  before(async () => {
    op = await testIssuer()
  })

  /** An RP of one process; without retries the driver hides nothing. */
  async function start(options: MongoClientOptions = { retryWrites: false, retryReads: false }): Promise<void> {
    const proxied = await proxyInFrontOf(mongo.uri)
    proxy = proxied.proxy
    client = await MongoClient.connect(proxied.uri, options)
    const collectionName = `replays${++collections}`
    const replayStore = await MongoReplayStore.open(client.db(mongo.name), { collectionName, timeoutMs: 1_000 })
    logouts = 0
    now = NOW
    const handle = logoutRequestHandler({
      ...op.options,
      now: () => now * 1000,
      replayStore,
      onLogout: () => {
        logouts += 1
      },
    })
    answerTo = (token) =>
      handle({ method: 'POST', contentType: 'application/x-www-form-urlencoded', body: { logout_token: token } })
  }

  afterEach(async () => {
    proxy.resume()
    await client.close()
    await proxy.stop()
  })

  const assertUnavailable = (answer: LogoutResponse): void => {
    assert.equal(answer.status, 503)
    assert.match(answer.body, /replay_store_unavailable/)
    assert.ok(answer.error?.cause instanceof Error && 'code' in answer.error.cause)
    assert.equal(answer.error.cause.code, 'STORE_UNAVAILABLE')
  }

  for (const [what, trouble] of [
    ['the primary steps down', () => proxy.answer({ command: 'update' }, 'before', () => STEPPED_DOWN)],
    ['the connection is cut', () => proxy.dropBefore({ command: 'update' })],
    ['its user lost the right to write', () => proxy.answer({ command: 'update' }, 'before', () => UNAUTHORIZED)],
  ] as const) {
    it(`answers 503 when ${what} before the token is reserved, and takes the same token again at once`, async () => {
      await start()
      const token = await op.token()
      const met = trouble()
      assertUnavailable(await answerTo(token))
      assert.equal(met.count, 1)
      assert.equal(logouts, 0)
      assert.equal((await answerTo(token)).status, 200)
      assert.equal(logouts, 1)
      assert.match((await answerTo(token)).body, /replayed/)
    })
  }

  for (const [what, trouble] of [
    ['the acknowledgement of the reservation is lost', () => proxy.cutAfter({ command: 'update' })],
    [
      'no majority confirms the reservation',
      () => proxy.answer({ command: 'update' }, 'after', (_, reply) => ({ ...reply, writeConcernError: NO_MAJORITY })),
    ],
  ] as const) {
    it(`answers 503 when ${what}, until the lease has lapsed`, async () => {
      await start()
      const token = await op.token({ claims: { exp: NOW + 300 } })
      trouble()
      assertUnavailable(await answerTo(token))
      now = NOW + 59
      assert.match((await answerTo(token)).body, /in_progress/)
      assert.equal(logouts, 0)
      now = NOW + 61
      assert.equal((await answerTo(token)).status, 200)
      assert.equal(logouts, 1)
    })
  }

  it('recognises its own reservation when the driver repeats what had been carried out', async () => {
    await start({ retryWrites: false, retryReads: false })
    // What a driver meets that repeats a write on a server without retryable writes.
    proxy.answer({ command: 'update' }, 'after', ({ updates }) => ({
      ...{ ok: 1, n: 0 },
      writeErrors: [{ index: 0, code: 11000, errmsg: `E11000 ${JSON.stringify(updates)}` }],
    }))
    assert.equal((await answerTo(await op.token())).status, 200)
    assert.equal(logouts, 1)
  })

  it('goes on without a 503 when the driver may repeat what a fail-over interrupted', async () => {
    await start({ retryWrites: true })
    const met = proxy.answer({ command: 'update' }, 'before', () => ({
      ...STEPPED_DOWN,
      errorLabels: ['RetryableWriteError'],
    }))
    assert.equal((await answerTo(await op.token())).status, 200)
    assert.equal(met.count, 1)
  })

  it('writes to the majority and its journal, and reads from the primary, whatever its client says', async () => {
    await start({ w: 1, journal: false, readPreference: 'secondaryPreferred' })
    const seen: Document[] = []
    const spied = proxy.dropBefore({
      command: ['update', 'delete', 'find'],
      where: (request) => {
        seen.push(request)
        return false
      },
    })
    const token = await op.token()
    assert.equal((await answerTo(token)).status, 200)
    assert.match((await answerTo(token)).body, /replayed/)
    spied.cancel()
    const writes = seen.filter(({ update }) => update !== undefined)
    assert.equal(writes.length, 3)
    for (const { writeConcern } of writes) assert.deepEqual(writeConcern, { w: 'majority', j: true })
    const reads = seen.filter(({ find }) => find !== undefined)
    assert.equal(reads.length, 1)
    for (const { $readPreference } of reads) assert.notEqual($readPreference?.mode, 'secondaryPreferred')
  })

  it('answers 503 when the logout is done and cannot be written down, and 200 after it was done again', async () => {
    await start()
    const token = await op.token()
    const commits = ({ updates }: { updates?: { u?: { $set?: { state?: string } } }[] }): boolean =>
      updates?.[0]?.u?.$set?.state === 'used'
    proxy.dropBefore({ command: 'update', where: commits })
    assertUnavailable(await answerTo(token))
    assert.equal(logouts, 1)
    assert.equal((await answerTo(token)).status, 200, 'the reservation was released')
    assert.equal(logouts, 2)
  })

  it('answers 503 in a second, not in the half minute of the driver, when nothing answers', async () => {
    await start()
    proxy.stall()
    assertUnavailable(await answerTo(await op.token()))
    assert.equal(logouts, 0)
  })
})

describe('the store of logged-out sessions on a MongoDB in trouble', () => {
  const mongo = privateDatabase()
  let proxy: TcpProxy
  let client: MongoClient
  let store: MongoLoggedOutStore

  beforeEach(async () => {
    const proxied = await proxyInFrontOf(mongo.uri)
    proxy = proxied.proxy
    client = await MongoClient.connect(proxied.uri, { retryWrites: false, retryReads: false })
    store = await MongoLoggedOutStore.open(client.db(mongo.name), { timeoutMs: 1_000 })
  })

  afterEach(async () => {
    proxy.resume()
    await client.close()
    await proxy.stop()
  })

  const entry = { key: 'a', loggedOutAt: NOW, expiresAt: NOW + 10, now: NOW }

  it('rejects what no majority has confirmed', async () => {
    proxy.answer({ command: 'update' }, 'after', (_, reply) => ({ ...reply, writeConcernError: NO_MAJORITY }))
    await assert.rejects(store.remember([entry]), { code: 'STORE_UNAVAILABLE' })
    await store.remember([entry])
  })

  it('never says "not logged out" when it cannot tell', async () => {
    proxy.answer({ command: 'find' }, 'before', () => STEPPED_DOWN)
    await assert.rejects(store.recall(['a']), { code: 'STORE_UNAVAILABLE' })
    proxy.dropBefore({ command: 'find' })
    await assert.rejects(store.recall(['a']), { code: 'STORE_UNAVAILABLE' })
    proxy.stall()
    await assert.rejects(store.recall(['a']), { code: 'STORE_UNAVAILABLE', message: /1000 ms/ })
  })

  it('does not lose its only connection to a server that has gone silent on it', async () => {
    await client.close()
    client = await MongoClient.connect(proxy.uri(mongo.uri), { maxPoolSize: 1, retryReads: false, retryWrites: false })
    store = await MongoLoggedOutStore.open(client.db(mongo.name), { timeoutMs: 2_000 })
    for (const [command, call] of [
      ['find', () => store.recall(['a'])],
      ['update', () => store.remember([entry])],
    ] as const) {
      const held = proxy.hold({ command })
      const first = assert.rejects(call(), { code: 'STORE_UNAVAILABLE' })
      await held.arrived
      await first
      await call()
    }
    assert.deepEqual(await store.recall(['a']), [NOW])
  })

  it('writes once more when two first logouts of one user met', async () => {
    const met = proxy.answer({ command: 'update' }, 'before', () => ({
      ...{ ok: 1, n: 0 },
      writeErrors: [{ index: 0, code: 11000, errmsg: 'E11000' }],
    }))
    await store.remember([{ ...entry, key: 'b' }])
    assert.equal(met.count, 1)
    assert.deepEqual(await store.recall(['b']), [NOW])
  })

  it('is not opened when the index cannot be made', async () => {
    proxy.answer({ command: 'createIndexes' }, 'before', () => UNAUTHORIZED)
    await assert.rejects(MongoLoggedOutStore.open(client.db(mongo.name)), { code: 'STORE_UNAVAILABLE' })
  })
})
