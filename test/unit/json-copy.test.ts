import assert from 'node:assert/strict'
import fc from 'fast-check'
import { BSON } from 'mongodb'
import { CommitMacs } from '../../adapters/mongodb/commit-macs.ts'
import { documentOf, placed } from '../../adapters/mongodb/documents.ts'
import type { NewCommit } from '../../lib/index.ts'
import { copyJson } from '../../lib/log/json-copy.ts'
import { prepare } from '../../lib/log/prepare.ts'
import { anyCharacter } from '../support/any-character.ts'

const refuse = (what: string): never => assert.fail(what)

/** Text that every store can keep. */
const text = fc.string({ unit: anyCharacter }).filter((value) => value.isWellFormed())
const key = text.filter((value) => !value.includes('\0'))

const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined),
    fc.date(),
    fc.constant(() => 1),
    tie('list'),
    tie('object'),
  ),
  list: fc.array(tie('value')),
  object: fc.dictionary(fc.oneof(key, fc.constant('__proto__'), fc.nat().map(String)), tie('value')),
}))

const commit: fc.Arbitrary<NewCommit> = fc.record({
  events: fc.array(
    fc.record(
      {
        stream: key.filter((name) => name !== ''),
        also: fc.array(key.filter((name) => name !== '')),
        type: key.filter((name) => name !== ''),
        data: json.object as fc.Arbitrary<never>,
      },
      { requiredKeys: ['stream', 'type', 'data'] },
    ),
    { minLength: 1 },
  ),
  claims: fc.array(fc.record({ kind: fc.constant('once' as const), mark: key })),
  expiresAt: fc.nat(),
})

describe('the copy of an event’s data', () => {
  it('is what JSON makes of them', () => {
    fc.assert(
      fc.property(json.object, (data) => {
        assert.deepEqual(copyJson(data, refuse).copy, JSON.parse(JSON.stringify(data)))
      }),
    )
  })

  it('is what JSON makes of objects that say what they are in it, of boxed values and of instances', () => {
    class Point {
      x = 1
      y = new Number(2)
    }
    const twice = { toJSON: () => ({ name: 'once', toJSON: () => assert.fail('called twice') }) }
    const data = {
      at: new Date(0),
      named: { toJSON: (key: string) => key },
      twice,
      text: Object('a'),
      yes: Object(true),
    }
    const all = { ...data, point: new Point(), list: [undefined, () => 1, Number.NaN, -0], map: new Map([[1, 2]]) }
    const { copy } = copyJson(all, refuse)
    assert.deepEqual(
      { ...copy, twice: undefined },
      { ...JSON.parse(JSON.stringify({ ...all, twice: undefined })), twice: undefined },
    )
    assert.deepEqual(Object.keys(copy['twice'] as object), ['name'])
  })

  it('is refused where it is no object, cyclic, too deep, or holds what JSON has not', () => {
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    let deep: object = {}
    for (let level = 0; level < 10_000; level++) deep = [deep]
    const cases: readonly (readonly [unknown, RegExp])[] = [
      [undefined, /must be an object/],
      [[], /must be an object/],
      [{ toJSON: () => 'a' }, /must be an object/],
      [cyclic, /is cyclic, or deeper than 90 levels/],
      [{ deep }, /is cyclic, or deeper than 90 levels/],
      [{ n: 1n }, /BigInt/],
    ]
    for (const [data, what] of cases) {
      assert.throws(
        () =>
          copyJson(data, (reason) => {
            throw new Error(reason)
          }),
        what,
      )
    }
  })

  it('may be 90 levels deep, which MongoDB takes', () => {
    let deep: object = {}
    for (let level = 0; level < 88; level++) deep = { deep }
    copyJson({ deep }, refuse)
  })
})

const macs = new CommitMacs([{ id: '1', bytes: Buffer.alloc(32) }])

describe('what a commit takes', () => {
  it('is never less than as the document that MongoDB gets', () => {
    fc.assert(
      fc.property(commit, (given) => {
        const prepared = prepare(given)
        const [document] = placed([documentOf(prepared, 0)], Number.MAX_SAFE_INTEGER, macs)
        const bytes = BSON.serialize(document as object).length
        assert.ok(bytes <= prepared.bytes, `${bytes} bytes, not ${prepared.bytes}`)
      }),
    )
  })

  it('is close to it where the commit is large', () => {
    const data = { list: Array.from({ length: 1_000 }, (_, n) => ({ id: `client-${n}`, sid: 'x'.repeat(43), at: n })) }
    const prepared = prepare({ events: [{ stream: 'a', type: 'stored', data }] })
    const bytes = BSON.serialize(documentOf(prepared, 0)).length
    assert.ok(prepared.bytes < 1.3 * bytes, `${prepared.bytes} bytes for ${bytes}`)
  })
})
