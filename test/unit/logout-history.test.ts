import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type Commit, generateSecret, type Keys } from '../../lib/index.ts'
import { assertHistory, type HistoryCriteria, historyOf } from '../../plugins/back-channel-logout/receipts/history.ts'
import type { Receipt } from '../../plugins/back-channel-logout/receipts/receipt.ts'
import type { ReadingOptions } from '../../plugins/back-channel-logout/recording/criteria.ts'
import { readLogouts } from '../../plugins/back-channel-logout/recording/histories.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { all, ISSUER, LogoutLog } from '../support/logout-log.ts'

const OTHER = 'https://other.example.com'

function keysCalled(id: string): Keys {
  return { hashing: [{ id, secret: generateSecret() }], sealing: [{ id, secret: generateSecret() }] }
}

describe('the history of logouts', () => {
  let clock: FakeClock
  let store: MemoryEventStore
  let log: LogoutLog

  beforeEach(() => {
    clock = new FakeClock()
    store = new MemoryEventStore({ clock })
    log = new LogoutLog(store)
  })

  afterEach(() => store.close())

  function read(criteria: HistoryCriteria, options: ReadingOptions = {}, size = 2): Promise<Receipt[]> {
    return all(historyOf({ store, issuer: ISSUER }, criteria, options, size))
  }

  async function uids(criteria: HistoryCriteria, options: ReadingOptions = {}, size = 2): Promise<string[]> {
    return (await read(criteria, options, size)).map(({ sessionUid }) => sessionUid)
  }

  it('tells the logouts of an account, of a client, or all, the oldest first or the newest', async () => {
    await log.ended('one', 'alice', ['shop', 'mail'])
    await log.ended('two', 'bob', ['mail'])
    await log.ended('three', 'alice', ['shop'])
    assert.deepEqual(await uids({}), ['one', 'two', 'three'])
    assert.deepEqual(await uids({ account: 'alice' }), ['one', 'three'])
    assert.deepEqual(await uids({ client: 'mail' }), ['one', 'two'])
    assert.deepEqual(await uids({ account: 'alice', client: 'mail' }), ['one'])
    assert.deepEqual(await uids({ account: 'nobody' }), [])
    assert.deepEqual(await uids({ client: 'nobody' }), [])
    assert.deepEqual(await uids({}, { order: 'newest' }), ['three', 'two', 'one'])
    assert.deepEqual(await uids({ account: 'alice' }, { order: 'newest', limit: 1 }), ['three'])
    assert.deepEqual(await uids({}, { limit: 2 }), ['one', 'two'])
  })

  it('tells nothing of sessions that live, nor of those of another issuer on the same log', async () => {
    const other = new LogoutLog(store, OTHER)
    await log.login('lives', 'alice', 'shop')
    await other.ended('elsewhere', 'alice', ['shop'])
    await log.ended('here', 'alice', ['shop'])
    for (const criteria of [{}, { account: 'alice' }, { client: 'shop' }, { since: 0 }]) {
      assert.deepEqual(await uids(criteria), ['here'])
    }
    assert.deepEqual(
      (await all(historyOf({ store, issuer: OTHER }, { account: 'alice' }, {}))).map(({ sessionUid }) => sessionUid),
      ['elsewhere'],
    )
  })

  it('tells a session once that ended login by login: at its first end, or at its last where the newest come first', async () => {
    await log.login('parts', 'alice', 'shop', '1')
    await log.login('parts', 'alice', 'mail', '2')
    await log.login('parts', 'alice', 'news', '3')
    await log.end('parts', 'alice', ['1'])
    await log.ended('between', 'alice', ['shop'])
    await log.end('parts', 'alice', ['2'])
    await log.end('parts', 'alice')
    for (const size of [1, 2, 100]) {
      assert.deepEqual(await uids({}, {}, size), ['parts', 'between'])
      assert.deepEqual(await uids({ account: 'alice' }, { order: 'newest' }, size), ['parts', 'between'])
    }
    assert.deepEqual(await uids({ client: 'shop' }, { order: 'newest' }), ['between', 'parts'])
    assert.deepEqual(await uids({ client: 'news' }), ['parts'])
    const [parts] = await read({ account: 'alice' })
    assert.deepEqual(
      parts?.ends.map(({ scope, relyingParties }) => [scope, relyingParties.map(({ clientId }) => clientId)]),
      [
        ['logins', ['shop']],
        ['logins', ['mail']],
        ['session', ['news']],
      ],
    )
  })

  it('tells a client only what concerns it: its own entries, whether they are settled, its time to logout', async () => {
    const [shop = ''] = await log.ended('one', 'alice', ['shop', 'mail'])
    await clock.advance(300)
    await log.confirmed('one', shop)
    const [whole] = await read({})
    assert.equal(whole?.settled, false)
    assert.equal(whole.ends[0]?.timeToLogoutMs, undefined)
    const [own] = await read({ client: 'shop' })
    assert.deepEqual(
      own?.ends.map(({ relyingParties, timeToLogoutMs }) => [relyingParties.map((rp) => rp.clientId), timeToLogoutMs]),
      [[['shop'], 300]],
    )
    assert.equal(own.settled, true)
    const [mail] = await read({ client: 'mail' })
    assert.equal(mail?.settled, false)
    assert.equal(mail.ends[0]?.timeToLogoutMs, undefined)
  })

  it('leaves out the ends that a client does not want to hear of', async () => {
    await log.login('one', 'alice', 'shop')
    await store.append({
      events: [
        {
          stream: 'session_logout:quiet',
          type: 'session_logout.back_channel.registered',
          also: store.keys.streams('client', 'shop'),
          data: {
            client_id: 'shop',
            oidc_session_id: '9',
            user_id: '',
            has_uri: true,
            session_required: true,
            initiators: [],
          },
        },
      ],
    })
    await log.end('quiet', 'alice')
    await log.end('one', 'alice')
    assert.deepEqual(await uids({ client: 'shop' }), ['one'])
    assert.deepEqual(await uids({}), ['quiet', 'one'])
  })

  it('begins at a time, which combines with the rest', async () => {
    await log.ended('old', 'alice', ['shop'])
    await clock.advance(86_400_000)
    const noon = clock.now()
    await log.ended('at noon', 'alice', ['shop'])
    await clock.advance(1)
    await log.ended('after', 'bob', ['shop'])
    assert.deepEqual(await uids({ since: noon }), ['at noon', 'after'])
    assert.deepEqual(await uids({ since: new Date(noon) }), ['at noon', 'after'])
    assert.deepEqual(await uids({ since: noon + 1 }), ['after'])
    assert.deepEqual(await uids({ since: noon + 2 }), [])
    assert.deepEqual(await uids({ account: 'alice', since: noon }), ['at noon'])
    assert.deepEqual(await uids({ client: 'shop', since: noon }, { order: 'newest' }), ['after', 'at noon'])
    assert.deepEqual(await uids({ since: 0 }), ['old', 'at noon', 'after'])
  })

  it('finds what was recorded by a clock that was behind', async () => {
    await log.ended('old', 'alice', ['shop'])
    await clock.advance(86_400_000)
    const noon = clock.now()
    await log.ended('at noon', 'alice', ['shop'])
    clock.jumpWall(-60_000)
    await log.ended('late', 'alice', ['shop'])
    clock.jumpWall(61_000)
    await log.ended('after', 'alice', ['shop'])
    assert.deepEqual(await uids({ since: noon }), ['at noon', 'after'])
  })

  it('tells a session whose first login ended before the time at its first end since', async () => {
    await log.login('parts', 'alice', 'shop', '1')
    await log.login('parts', 'alice', 'mail', '2')
    await log.end('parts', 'alice', ['1'])
    await clock.advance(86_400_000)
    const since = clock.now()
    await log.ended('before', 'alice', ['shop'])
    await log.end('parts', 'alice')
    assert.deepEqual(await uids({ since }), ['before', 'parts'])
    const [, parts] = await read({ since })
    assert.equal(parts?.ends.length, 2)
  })

  it('goes as far as the log went when it began', async () => {
    await log.ended('one', 'alice', ['shop'])
    await log.ended('two', 'alice', ['shop'])
    for (const order of ['oldest', 'newest'] as const) {
      const seen: string[] = []
      for await (const { sessionUid } of historyOf({ store, issuer: ISSUER }, {}, { order }, 1)) {
        if (seen.length === 0) await log.ended(`meanwhile ${order}`, 'alice', ['shop'])
        seen.push(sessionUid)
        assert.ok(seen.length < 9)
      }
      assert.ok(!seen.includes(`meanwhile ${order}`))
    }
  })

  it('tells a session that goes on ending while it is read, the newest first', async () => {
    await log.login('parts', 'alice', 'shop', '1')
    await log.login('parts', 'alice', 'mail', '2')
    await log.end('parts', 'alice', ['1'])
    await log.ended('last', 'bob', ['shop'])
    const seen: string[] = []
    for await (const { sessionUid } of historyOf({ store, issuer: ISSUER }, {}, { order: 'newest' }, 1)) {
      if (seen.length === 0) await log.end('parts', 'alice')
      seen.push(sessionUid)
    }
    assert.deepEqual(seen, ['last', 'parts'])
  })

  it('ends when it is aborted, and reads nothing further', async () => {
    for (let i = 0; i < 6; i++) await log.ended(`session ${i}`, 'alice', ['shop'])
    const stop = new AbortController()
    const seen: string[] = []
    for await (const { sessionUid } of historyOf({ store, issuer: ISSUER }, {}, { signal: stop.signal }, 2)) {
      seen.push(sessionUid)
      if (seen.length === 3) stop.abort()
    }
    assert.equal(seen.length, 3)
    assert.deepEqual(await uids({}, { signal: AbortSignal.abort() }), [])
  })

  it('is complete while the hashing key is exchanged', async () => {
    const [before, after] = [keysCalled('before'), keysCalled('after')]
    const both = { hashing: [...after.hashing, ...before.hashing], sealing: [...after.sealing, ...before.sealing] }
    const entries: Commit[] = []
    for (const [i, keys] of [before, both, after].entries()) {
      const era = new MemoryEventStore({ keys })
      await new LogoutLog(era).ended(`era ${i}`, 'alice', ['shop'])
      entries.push(...(await era.readAll({ after: 0, limit: 100 })))
      await era.close()
    }
    const whole = new MemoryEventStore({ keys: both })
    for (const { events, meta } of entries) await whole.append({ events, meta })
    for (const criteria of [{ account: 'alice' }, { client: 'shop' }]) {
      for (const size of [1, 2, 100]) {
        const found = await all(historyOf({ store: whole, issuer: ISSUER }, criteria, {}, size))
        assert.deepEqual(
          found.map(({ sessionUid }) => sessionUid),
          ['era 0', 'era 1', 'era 2'],
        )
      }
    }
    await whole.close()
  })

  it('is the same in pages of any size, and each session is in it once', async () => {
    const who = fc.constantFrom('alice', 'bob')
    const session = fc.nat(4).map((n) => `session ${n}`)
    const rp = fc.constantFrom('shop', 'mail')
    const act = fc.oneof(
      fc.record({ kind: fc.constant('login' as const), session, rp }),
      fc.record({ kind: fc.constant('part' as const), session, rp }),
      fc.record({ kind: fc.constant('end' as const), session, rp }),
    )
    const criteria = fc.record({ account: who, client: rp }, { requiredKeys: [] })
    const order = fc.constantFrom('oldest' as const, 'newest' as const)
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 20 }), criteria, order, async (acts, asked, direction) => {
        const own = new MemoryEventStore()
        const writing = new LogoutLog(own)
        for (const { kind, session: uid, rp: client } of acts) {
          const account = accountOf(uid)
          if (kind === 'login') await writing.login(uid, account, client, `${uid} ${client}`)
          else await writing.end(uid, account, kind === 'part' ? [`${uid} ${client}`] : undefined)
        }
        const pages = await Promise.all(
          [1, 2, 100].map((size) => all(historyOf({ store: own, issuer: ISSUER }, asked, { order: direction }, size))),
        )
        const expected = await endsIn(own, asked, direction)
        for (const receipts of pages) assert.deepEqual(uidsOf(receipts), expected)
        await own.close()
      }),
      { numRuns: 60 },
    )
  })
})

function uidsOf(receipts: readonly Receipt[]): string[] {
  return receipts.map(({ sessionUid }) => sessionUid)
}

/** The sessions that are to be told, in order, from their own streams alone. Bob's are those from the third on. */
async function endsIn(store: MemoryEventStore, asked: HistoryCriteria, order: 'oldest' | 'newest'): Promise<string[]> {
  const logouts = await readLogouts(
    store,
    [0, 1, 2, 3, 4].map((n) => `session ${n}`),
  )
  const found = [...logouts.values()].flatMap(({ uid, terminations }) => {
    if (asked.account !== undefined && asked.account !== accountOf(uid)) return []
    const positions = terminations
      .filter(
        ({ owed }) =>
          asked.client === undefined || owed.some(({ registration }) => registration.clientId === asked.client),
      )
      .map(({ position }) => position)
    const position = order === 'oldest' ? positions[0] : positions.at(-1)
    return position === undefined ? [] : [{ uid, position }]
  })
  const sorted = found.toSorted((a, b) => (order === 'oldest' ? a.position - b.position : b.position - a.position))
  return sorted.map(({ uid }) => uid)
}

function accountOf(uid: string): string {
  return uid < 'session 2' ? 'alice' : 'bob'
}

describe('what is asked of the history', () => {
  const wrong: readonly [string, unknown, unknown][] = [
    ['account', { account: '' }, {}],
    ['account', { account: 7 }, {}],
    ['client', { client: '' }, {}],
    ['since', { since: 'yesterday' }, {}],
    ['since', { since: new Date('nonsense') }, {}],
    ['since', { since: -1 }, {}],
    ['user', { user: 'alice' }, {}],
    ['limit', {}, { limit: 0 }],
    ['limit', {}, { limit: 1.5 }],
    ['order', {}, { order: 'random' }],
    ['signal', {}, { signal: {} }],
    ['page', {}, { page: 3 }],
  ]

  for (const [option, criteria, options] of wrong) {
    it(`is checked at once: ${JSON.stringify(criteria)}, ${JSON.stringify(options)}`, () => {
      assert.throws(() => assertHistory(criteria as HistoryCriteria, options as ReadingOptions), {
        code: 'OPTION_INVALID',
        option,
      })
    })
  }
})
