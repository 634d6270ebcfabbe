import assert from 'node:assert/strict'
import { KeyRing, type Keys } from '../../lib/secrets/key-ring.ts'

describe('keys that cannot be used', () => {
  const cases: readonly (readonly [what: string, keys: unknown, message: RegExp])[] = [
    ['none', undefined, /`keys` is missing/],
    ['JSON text that nobody parsed', JSON.stringify(usable()), /`keys` must be an object.*parse the JSON text first/],
    ['something else than an object', 42, /`keys` must be an object/],
    ['a kind of keys that is not known', { ...usable(), signing: [] }, /`keys\.signing` is not known/],
    ['no sealing key', { ...usable(), sealing: [] }, /`keys\.sealing` needs at least one key/],
    ['a key without a secret', { ...usable(), hashing: [{ id: '1' }] }, /`keys\.hashing\[0\]` \("1"\) needs a secret/],
    ['a number for a secret', { ...usable(), hashing: [{ id: '1', secret: 42 }] }, /\("1"\) needs a secret/],
    ['a short secret', { ...usable(), hashing: [{ id: '1', secret: 'abcd' }] }, /has 3 bytes, 32 are needed/],
    [
      '32 bytes as hex',
      { ...usable(), hashing: [{ id: '1', secret: 'ab'.repeat(32) }] },
      /48 bytes as .*looks like hex/,
    ],
    ['one key in place of a list', { ...usable(), sealing: key('a', 1) }, /`keys\.sealing` must be an array of keys/],
    ['a number for an id', { ...usable(), sealing: [{ ...key('a', 1), id: 1 }] }, /needs an id: text of 1 to 32/],
    [
      'an id with a dot',
      { ...usable(), sealing: [key('a.b', 1)] },
      /`keys\.sealing\[0\]` needs an id: text of 1 to 32/,
    ],
    ['an id of 33 letters', { ...usable(), sealing: [key('a'.repeat(33), 1)] }, /needs an id: text of 1 to 32/],
    ['an id twice', { ...usable(), sealing: [key('a', 1), key('b', 2), key('b', 3)] }, /two keys with the id "b"/],
    ['retired keys that are no list', { ...usable(), retired: 'b' }, /`keys\.retired` must be the ids/],
    ['retired keys instead of their ids', { ...usable(), retired: [key('b', 2)] }, /`keys\.retired` must be the ids/],
    ['a key that is retired and in use', { ...usable(), retired: ['a'] }, /"a" is in .* take it out of one of them/],
  ]
  for (const [what, keys, message] of cases) {
    it(`are refused, and it is said why: ${what}`, () => {
      assert.throws(() => new KeyRing(keys as Keys), { code: 'KEYS_INVALID', message })
    })
  }
})

describe('hashing keys that a store was not written with', () => {
  const remembered = new KeyRing(usable()).hashingFingerprints()

  it('are refused by the id of the former one', () => {
    const other = new KeyRing({ ...usable(), hashing: [key('b', 2)] })
    assert.throws(() => other.assertHashingKnown(remembered), { code: 'KEY_UNKNOWN', message: /none of.*\(a\)/ })
  })

  it('are refused as other secrets where they have the id of the former one', () => {
    const impostor = new KeyRing({ ...usable(), hashing: [key('a', 2)] })
    const message = /the hashing key "a" is not the one .* had the same id/
    assert.throws(() => impostor.assertHashingKnown(remembered), { code: 'KEY_UNKNOWN', message })
  })
})

function usable(): Keys {
  return { sealing: [key('a', 1)], hashing: [key('a', 1)] }
}

function key(id: string, byte: number): Keys['sealing'][number] {
  return { id, secret: Buffer.alloc(32, byte) }
}
