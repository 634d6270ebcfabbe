import assert from 'node:assert/strict'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { type Commit, type EventStore, ephemeralKeys, systemClock } from '../../lib/index.ts'
import { DeadLetters } from '../../plugins/back-channel-logout/dead-letters/dead-letters.ts'
import { deadLettersOf } from '../../plugins/back-channel-logout/dead-letters/listing.ts'
import { replay } from '../../plugins/back-channel-logout/dead-letters/replay.ts'
import { historyOf } from '../../plugins/back-channel-logout/receipts/history.ts'
import { Receipts } from '../../plugins/back-channel-logout/receipts/receipts.ts'
import { all, ISSUER, LogoutLog } from '../support/logout-log.ts'
import { privateDatabase } from '../support/mongo-database.ts'
import { countReads } from '../support/reads.ts'

const SESSIONS = 60
const PAGE = 7

describe('a long history on MongoDB', () => {
  const mongo = privateDatabase()
  const uids = Array.from({ length: SESSIONS }, (_, n) => `session ${n}`)
  /** What each reading of streams that hold many sessions has brought. */
  let read: Commit[][]
  let store: EventStore
  let middle: number

  before(async () => {
    store = await MongoEventStore.open(mongo.db, { keys: ephemeralKeys() })
    const log = new LogoutLog(store)
    for (const [n, uid] of uids.entries()) {
      if (n === SESSIONS / 2) middle = await nextMillisecond()
      const [shop = '', mail = ''] = await log.ended(uid, n % 2 === 0 ? 'alice' : 'bob', ['shop', 'mail'])
      await log.rejected(uid, shop, 'shop')
      await log.confirmed(uid, mail)
    }
    read = countReads(store, (streams) => !streams.some((stream) => stream.startsWith('session_logout:')))
  })

  beforeEach(() => {
    read.splice(0)
  })

  after(() => store.close())

  async function nextMillisecond(): Promise<number> {
    const now = Date.now()
    while (Date.now() <= now) await new Promise((resolve) => setImmediate(resolve))
    return Date.now()
  }

  it('is told page by page, each session once, in both orders', async () => {
    const parts = { store, issuer: ISSUER }
    for (const order of ['oldest', 'newest'] as const) {
      const told = (await all(historyOf(parts, {}, { order }, PAGE))).map(({ sessionUid }) => sessionUid)
      assert.deepEqual(told, order === 'oldest' ? uids : uids.toReversed())
    }
    assert.ok(read.length >= (2 * SESSIONS) / PAGE)
    assert.ok(read.every(({ length }) => length <= PAGE))
  })

  it('is told of an account and of a client, and from a time on', async () => {
    const parts = { store, issuer: ISSUER }
    const of = async (criteria: Parameters<typeof historyOf>[1]): Promise<string[]> =>
      (await all(historyOf(parts, criteria, {}, PAGE))).map(({ sessionUid }) => sessionUid)
    const alice = uids.filter((_, n) => n % 2 === 0)
    assert.deepEqual(await of({ account: 'alice' }), alice)
    assert.deepEqual(await of({ client: 'shop' }), uids)
    assert.deepEqual(await of({ since: middle }), uids.slice(SESSIONS / 2))
    assert.deepEqual(
      await of({ account: 'alice', since: middle }),
      alice.filter((uid) => uids.indexOf(uid) >= SESSIONS / 2),
    )
  })

  it('reads no further than what is taken of it', async () => {
    const parts = { store, issuer: ISSUER }
    assert.equal((await all(historyOf(parts, {}, { limit: PAGE }, PAGE))).length, PAGE)
    assert.equal(read.length, 1)
  })

  it('is watched as it goes on', async () => {
    const log = new LogoutLog(store)
    const [shop = ''] = await log.ended('watched', 'carol', ['shop'])
    const states: (string | undefined)[] = []
    for await (const { ends } of new Receipts({ store, issuer: ISSUER, clock: systemClock }).watch('watched', {})) {
      states.push(ends[0]?.relyingParties[0]?.state)
      if (states.length === 1) await log.confirmed('watched', shop)
    }
    assert.deepEqual(states, ['pending', 'confirmed'])
  })

  it('has its dead letters listed and replayed page by page, by operators at once', async () => {
    const parts = { store, issuer: ISSUER }
    const since = middle
    const listed = await all(deadLettersOf(parts, { client: 'shop' }, PAGE))
    assert.deepEqual(
      listed.map(({ sessionUid }) => sessionUid),
      uids,
    )
    assert.ok(read.every(({ length }) => length <= PAGE))
    const counts = await Promise.all([1, 2].map(() => replay(parts, { since }, { actor: 'ops' }, PAGE)))
    assert.equal(
      counts.reduce((sum, { replayed }) => sum + replayed, 0),
      SESSIONS / 2,
    )
    const left = await all(new DeadLetters(parts).list({}))
    assert.deepEqual(
      left.map(({ sessionUid }) => sessionUid),
      uids.slice(0, SESSIONS / 2),
    )
  })
})
