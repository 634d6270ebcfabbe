import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ObjectId } from 'mongodb'
import { classify, type Rules } from '../../adapters/mongodb/moving/classify.ts'
import { hasEscapes, KNOWN_ESCAPES, unescapeNames } from '../../adapters/mongodb/moving/escapes.ts'
import type { CollectionLayout } from '../../adapters/mongodb/moving/layout.ts'
import { modelOfCollection, modelOfName } from '../../adapters/mongodb/moving/model-of-name.ts'
import { idOf, secondsOf, storedIds } from '../../adapters/mongodb/moving/plain-values.ts'
import { readDocument, type SourceRecord } from '../../adapters/mongodb/moving/read-document.ts'
import { MODELS } from '../../lib/provider/models.ts'

const WRAPPED: CollectionLayout = { collection: 'grant', model: 'Grant', id: '_id', payload: 'payload' }
const FLATTENED: CollectionLayout = { collection: 'grant', model: 'Grant', id: '_id', omit: ['expiresAt'] }

/** Members as oidc-provider's own payloads have them: JSON under any names but those that the reading is about. */
const members = fc.dictionary(
  fc
    .string({ minLength: 1 })
    .filter((name) => !['_id', 'expiresAt', 'consumed', 'exp', 'kind', '__proto__'].includes(name)),
  fc.jsonValue({ noUnicodeString: false }).filter((value) => value !== null),
)

describe('a document of another adapter', () => {
  it('gives back the payload that it was made of, wrapped or flattened', () => {
    fc.assert(
      fc.property(members, fc.string({ minLength: 1 }), (payload, id) => {
        const json = JSON.parse(JSON.stringify(payload))
        for (const [layout, document] of [
          [WRAPPED, { _id: id, payload: json, expiresAt: new Date() }],
          [FLATTENED, { ...json, _id: id, expiresAt: new Date() }],
        ] as const) {
          const record = readDocument(layout, document)
          assert.equal(record.id, id)
          assert.deepEqual(record.payload, json)
        }
      }),
    )
  })

  it('has the names of members back that were escaped, however deep', () => {
    for (const family of KNOWN_ESCAPES) {
      const escaped = (name: string): string =>
        Object.entries(family).reduce((text, [to, from]) => text.replaceAll(from, to), name)
      const plainNames = fc
        .string()
        .filter((name) => !Object.keys(family).some((token) => name.includes(token[0] ?? '')))
      fc.assert(
        fc.property(fc.dictionary(plainNames, fc.dictionary(plainNames, fc.integer())), (names) => {
          const { __proto__: _, ...given } = JSON.parse(JSON.stringify(names)) as Record<string, Record<string, number>>
          const rows = Object.entries(given).map(([name, inner]) => [
            escaped(name),
            Object.fromEntries(Object.entries(inner).map(([deep, value]) => [escaped(deep), value])),
          ])
          assert.deepEqual(unescapeNames(Object.fromEntries(rows), family), given)
        }),
      )
      const [[to = '', from = ''] = []] = Object.entries(family)
      assert.ok(hasEscapes({ deep: [{ [`a${to}b`]: 1 }] }, family))
      assert.deepEqual(unescapeNames({ [`${to}${to}`]: to }, family), { [`${from}${from}`]: to })
    }
  })

  it('says when it was used, in seconds, whatever form that has', () => {
    const used = (consumed: unknown, layout: CollectionLayout = FLATTENED): unknown =>
      readDocument(layout, { _id: 'a', consumed, iat: 1_700_000_000 }).payload?.['consumed']
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4e9 }), (seconds) => {
        assert.equal(used(seconds), seconds)
        assert.equal(used(new Date(seconds * 1000 + 999)), seconds)
        assert.equal(used(new Date(seconds * 1000).toISOString()), seconds)
      }),
    )
    assert.equal(used(1_700_000_001_234), 1_700_000_001)
    assert.equal(used(true), 1_700_000_000)
    for (const unused of [undefined, null, false]) assert.equal(used(unused), undefined)
    const beside = { ...WRAPPED, consumed: 'usedAt' }
    const document = { _id: 'a', payload: { jti: 'a' }, usedAt: new Date(5_000) }
    assert.equal(readDocument(beside, document).payload?.['consumed'], 5)
  })

  it('has its expiry in the payload, or in a field beside it where the payload has none', () => {
    const at = new Date(1_800_000_000_000)
    const decides: CollectionLayout = { ...WRAPPED, expiry: 'expires', expiryDecides: true }
    const exp = (layout: CollectionLayout, payload: object, expires: unknown): unknown =>
      readDocument(layout, { _id: 'a', payload, expires }).payload?.['exp']
    assert.equal(exp(decides, {}, at), 1_800_000_000)
    assert.equal(exp(decides, { exp: 7 }, at), 7)
    assert.equal(exp(decides, { exp: null }, at), 1_800_000_000)
    assert.equal(exp({ ...WRAPPED, expiry: 'expires' }, {}, at), undefined)
    assert.equal(exp(decides, {}, new Date(0)), undefined)
    assert.equal(exp(WRAPPED, { exp: at }, undefined), 1_800_000_000)
    assert.equal(readDocument(decides, { _id: 'a', payload: {}, expires: 'soon' }).expiry, 'invalid')
    assert.equal(readDocument(decides, { _id: 'a', payload: {}, expires: null }).expiry, undefined)
  })

  it('reads no time where there is none: an Invalid Date is stored as 1970', () => {
    for (const none of [new Date(Number.NaN), new Date(0), Number.NaN, -1, '1700000000', null, {}])
      assert.equal(secondsOf(none), undefined)
  })

  it('has an id that is a text or an ObjectId, with a prefix or without', () => {
    const id = new ObjectId()
    assert.equal(idOf(id), id.toHexString())
    assert.deepEqual(storedIds(id.toHexString()), [id.toHexString(), id])
    assert.deepEqual(storedIds('x', '4:acme:'), ['4:acme:x'])
    for (const none of ['', 1, null, undefined, {}]) assert.equal(idOf(none), undefined)
    const layout = { ...WRAPPED, idPrefix: '4:acme:' }
    assert.equal(readDocument(layout, { _id: '4:acme:4:acme:', payload: {} }).id, '4:acme:')
    assert.equal(readDocument(layout, { _id: '5:other:x', payload: {} }).id, undefined)
  })

  it('loses nothing of the numbers and ids that BSON has', () => {
    const id = new ObjectId()
    const payload = { iat: new Date(3_000), when: new Date(3_000), ref: id, deep: [{ id, none: undefined }] }
    assert.deepEqual(readDocument(WRAPPED, { _id: 'a', payload }).payload, {
      iat: 3,
      when: '1970-01-01T00:00:03.000Z',
      ref: id.toHexString(),
      deep: [{ id: id.toHexString(), none: undefined }],
    })
  })
})

describe('the model that a collection is called after', () => {
  const snake = (model: string): string => model.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toLowerCase()

  it('is found in every spelling, behind any prefix, for all fifteen', () => {
    for (const model of MODELS) {
      const camel = `${model[0]?.toLowerCase()}${model.slice(1)}`
      for (const name of [
        model,
        camel,
        snake(model),
        `${model.toLowerCase()}s`,
        `${snake(model)}s`,
        snake(model).replaceAll('_', '-'),
      ]) {
        assert.equal(modelOfName(name), model, name)
        for (const prefix of ['oidc_', 'my-app.', 'op:'])
          assert.equal(modelOfCollection(`${prefix}${name}`), model, name)
      }
      assert.equal(modelOfCollection(`oidc${model}`), model)
    }
  })

  it('may be misspelt by a letter where it is long', () => {
    for (const name of ['authoriztion_code', 'AuthorisationCode', 'replay_detecton', 'acess_token'])
      assert.ok(modelOfCollection(name), name)
    for (const name of ['users', 'sessio', 'clint', 'grants_of_money', 'events', 'counters'])
      assert.equal(modelOfCollection(name), undefined, name)
  })
})

describe('what is taken of another adapter', () => {
  const RULES: Rules = { now: 1_000, recordsUse: true, codes: 'recorded' }
  const record = (more: Partial<SourceRecord>): SourceRecord => ({
    model: 'AccessToken',
    id: 'a',
    payload: { jti: 'a', exp: 2_000 },
    expiry: undefined,
    ...more,
  })

  const rows: readonly [string, Partial<SourceRecord>, Partial<Rules>, string, readonly string[]][] = [
    ['a live token', {}, {}, 'take', []],
    ['what expires this second', { payload: { exp: 1_000 } }, {}, 'expired', []],
    ['what has no expiry', { payload: {} }, {}, 'take', []],
    ['a live payload with a date that has passed', { expiry: 999 }, {}, 'take', ['live_but_expired']],
    ['a date that is none', { expiry: 'invalid' }, {}, 'take', ['expiry_invalid']],
    ['a document without id', { id: undefined }, {}, 'leave', ['unreadable']],
    ['a document without payload', { payload: undefined }, {}, 'leave', ['unreadable']],
    ['an unknown model', { model: undefined }, {}, 'leave', ['unknown_kind']],
    ['a JWT access token', { payload: { jwt: 'x' } }, {}, 'leave', ['former_token']],
    ['a token of another format', { payload: { format: 'jwt' } }, {}, 'leave', ['former_token']],
    ['an opaque token that says so', { payload: { format: 'opaque' } }, {}, 'take', []],
    ['a session', { model: 'Session', payload: { jti: 'a', uid: 'u', accountId: 'x' } }, {}, 'take', []],
    [
      'a session with `account`',
      { model: 'Session', payload: { jti: 'a', uid: 'u', account: 'x' } },
      {},
      'leave',
      ['former_session'],
    ],
    [
      'a session whose authorizations hold scopes',
      { model: 'Session', payload: { jti: 'a', uid: 'u', authorizations: { rp: { promptedScopes: [] } } } },
      {},
      'leave',
      ['former_session'],
    ],
    ['a session without uid', { model: 'Session', payload: { jti: 'a' } }, {}, 'leave', ['unreadable']],
    ['a session under another id', { model: 'Session', payload: { jti: 'b', uid: 'u' } }, {}, 'leave', ['unreadable']],
    [
      'a code whose use was not recorded',
      { model: 'AuthorizationCode' },
      { recordsUse: false },
      'leave',
      ['use_never_recorded'],
    ],
    [
      'the same, wished for',
      { model: 'AuthorizationCode' },
      { recordsUse: false, codes: 'all' },
      'take',
      ['use_never_recorded'],
    ],
    [
      'a refresh token of that kind',
      { model: 'RefreshToken' },
      { recordsUse: false },
      'take',
      ['refresh_use_never_recorded'],
    ],
    ['an access token of that kind', {}, { recordsUse: false }, 'take', []],
    [
      'a client with a sealed secret',
      { model: 'Client', payload: { client_secret: {} } },
      {},
      'take',
      ['secret_unreadable'],
    ],
    ['a client without a secret', { model: 'Client', payload: {} }, {}, 'take', []],
  ]

  for (const [what, more, rules, verdict, anomalies] of rows) {
    it(`${what}: ${verdict}`, () => {
      assert.deepEqual(classify(record(more), { ...RULES, ...rules }), { verdict, anomalies })
    })
  }
})
