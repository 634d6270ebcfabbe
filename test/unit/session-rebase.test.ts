import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Payload } from '../../lib/index.ts'
import { rebase } from '../../lib/provider/session-rebase.ts'

const clientId = fc.oneof(fc.constantFrom('rp', 'a.b', '$c', '__proto__', 'constructor', 'toString'), fc.string())
const authorization = fc.record({ sid: fc.string(), grantId: fc.string() }, { noNullPrototype: true })
const authorizations = fc
  .array(fc.tuple(clientId, authorization), { maxLength: 5 })
  .map((entries) => entries.reduce((object, [client, value]) => withOwn(object, client, value), {}))
const session = fc.record(
  {
    jti: fc.string(),
    uid: fc.string(),
    kind: fc.constant('Session'),
    accountId: fc.string(),
    iat: fc.nat(),
    exp: fc.nat(),
    loginTs: fc.nat(),
    authorizations,
  },
  { noNullPrototype: true },
)

describe('rebase', () => {
  it('gives what was written where nothing else has changed, with the later times', () => {
    fc.assert(
      fc.property(session, authorizations, fc.nat(), (read, authorizations, exp) => {
        const written = { ...read, authorizations, exp, loginTs: read.loginTs + 1 }
        assert.deepEqual(merged(read, written, read), { ...written, exp: Math.max(exp, read.exp) })
      }),
    )
  })

  it('gives what others have written where this request has changed nothing', () => {
    fc.assert(
      fc.property(session, authorizations, fc.nat(), (read, authorizations, exp) => {
        const newest = { ...read, authorizations, exp, amr: ['pwd'] }
        assert.deepEqual(merged(read, read, newest), { ...newest, exp: Math.max(exp, read.exp) })
      }),
    )
  })

  it('keeps the logins of both sides at different clients, whatever they are called', () => {
    fc.assert(
      fc.property(
        session,
        fc.uniqueArray(clientId, { minLength: 2, maxLength: 2 }),
        authorization,
        authorization,
        (read, [mine = '', theirs = ''], a, b) => {
          const start = { ...read, authorizations: without(read.authorizations, mine, theirs) }
          const written = { ...start, authorizations: withOwn(start.authorizations, mine, a) }
          const newest = { ...start, authorizations: withOwn(start.authorizations, theirs, b) }
          const result = merged(start, written, newest)
          assert.deepEqual(result['authorizations'], withOwn(withOwn(start.authorizations, mine, a), theirs, b))
          assert.equal(Object.getPrototypeOf(result['authorizations']), Object.prototype)
        },
      ),
    )
  })

  it('takes a login away that one side has taken away, and keeps the other side’s new one', () => {
    fc.assert(
      fc.property(
        session,
        fc.uniqueArray(clientId, { minLength: 2, maxLength: 2 }),
        authorization,
        (read, [gone = '', added = ''], value) => {
          const rest = without(read.authorizations, gone, added)
          const start = { ...read, authorizations: withOwn(rest, gone, value) }
          const removing = { ...read, authorizations: rest }
          const adding = { ...read, authorizations: withOwn(start.authorizations, added, value) }
          const expected = withOwn(rest, added, value)
          assert.deepEqual(merged(start, removing, adding)['authorizations'], expected)
          assert.deepEqual(merged(start, adding, removing)['authorizations'], expected)
        },
      ),
    )
  })

  it('counts the later expiry, whichever side it is on', () => {
    fc.assert(
      fc.property(session, fc.nat(), fc.nat(), (read, mine, theirs) => {
        const result = merged(read, { ...read, exp: mine }, { ...read, exp: theirs })
        assert.equal(result['exp'], Math.max(mine, theirs))
      }),
    )
  })

  it('does not depend on who was first, where both merge', () => {
    const change = fc.record(
      { authorizations, exp: fc.nat(), loginTs: fc.nat(), acr: fc.string() },
      { requiredKeys: [], noNullPrototype: true },
    )
    fc.assert(
      fc.property(session, change, change, (read, a, b) => {
        const [one, other] = [
          { ...read, ...a },
          { ...read, ...b },
        ]
        assert.deepEqual(rebase(read, one, other), rebase(read, other, one))
      }),
    )
  })

  it('changes neither of the states it is given', () => {
    fc.assert(
      fc.property(session, authorizations, authorizations, (read, mine, theirs) => {
        const states = [read, { ...read, authorizations: mine }, { ...read, authorizations: theirs }] as const
        const before = structuredClone(states)
        rebase(...states)
        assert.deepEqual(states, before)
      }),
    )
  })

  describe('is impossible', () => {
    const read = { jti: 'one', uid: 'u', accountId: 'alice', exp: 1, authorizations: { rp: { sid: 's' } } }

    for (const [why, written, newest] of [
      ['its account changed', read, { ...read, accountId: 'bob' }],
      ['its account changed', { ...read, exp: 2 }, without(read, 'accountId')],
      ['its id rotated', read, { ...read, jti: 'two' }],
      ['`acr` changed on both sides', { ...read, acr: 'a' }, { ...read, acr: 'b' }],
      ['`loginTs` changed on both sides', { ...read, loginTs: 1 }, { ...read, loginTs: 2 }],
      ['`state` changed on both sides', { ...read, state: { secret: 'a' } }, { ...read, state: { secret: 'b' } }],
      [
        '`authorizations` changed on both sides',
        { ...read, authorizations: { rp: { sid: 'mine' } } },
        { ...read, authorizations: { rp: { sid: 'theirs' } } },
      ],
      [
        '`authorizations` changed on both sides',
        { ...read, authorizations: { rp: { sid: 'mine' } } },
        { ...read, authorizations: {} },
      ],
    ] as const) {
      it(`because ${why}`, () => {
        assert.deepEqual(rebase(read, written, newest), { conflict: why })
      })
    }

    it('never when both have made the same change', () => {
      const same = { ...read, acr: 'a', authorizations: { rp: { sid: 'new' } } }
      assert.deepEqual(rebase(read, same, structuredClone(same)), { payload: same })
    })
  })

  it('leaves authorizations out where nobody has any', () => {
    const bare = { jti: 'one', uid: 'u', accountId: 'alice', exp: 1 }
    assert.deepEqual(merged(bare, bare, { ...bare, exp: 2 }), { ...bare, exp: 2 })
    const first = { ...bare, authorizations: { rp: {} } }
    assert.deepEqual(merged(bare, bare, first), first)
    assert.deepEqual(merged(bare, first, bare), first)
    assert.deepEqual(merged(first, bare, bare), bare)
  })
})

function merged(read: Payload, written: Payload, newest: Payload): Payload {
  const result = rebase(read, written, newest)
  assert.ok('payload' in result, 'conflict' in result ? result.conflict : '')
  return result.payload
}

function withOwn(object: object, key: string, value: unknown): Record<string, unknown> {
  const copy = { ...object }
  return Object.defineProperty(copy, key, { value, enumerable: true, configurable: true, writable: true })
}

function without(object: object, ...keys: string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)))
}
