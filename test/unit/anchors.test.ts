import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import { CompactSign } from 'jose'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { ephemeralKeys, type Keys, makeAnchor, readAnchor } from '../../lib/index.ts'
import { FakeClock } from '../support/fake-clock.ts'

const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString()
const publicPem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString()

describe('an anchor', () => {
  const clock = new FakeClock('2026-01-02T03:04:05.678Z')
  const keys = ephemeralKeys()
  const pair = generateKeyPairSync('ed25519')
  let store: MemoryEventStore

  beforeEach(async () => {
    store = new MemoryEventStore({ keys })
    await store.append({ events: [{ stream: 'Thing:a', type: 'stored', data: {} }] })
  })

  const opened = (with_: Keys): MemoryEventStore['keys'] => new MemoryEventStore({ keys: with_ }).keys
  const refused = (jws: string, key?: string, ring = store.keys): Promise<void> =>
    assert.rejects(readAnchor(ring, jws, key === undefined ? {} : { key }), { code: 'ANCHOR_INVALID' })

  it('says which log it is of, when it was made, and the last commit', async () => {
    const { jws, ...made } = await makeAnchor({ store, clock })
    assert.deepEqual(await readAnchor(store.keys, jws), made)
    const [commit] = await store.readAll({ after: 0, limit: 1 })
    assert.deepEqual(made, {
      log: store.logId,
      at: Date.parse('2026-01-02T03:04:05Z'),
      last: { position: 1, commit: commit?.id },
    })
  })

  it('that was altered anywhere is refused, whoever has signed it', async () => {
    const own = await makeAnchor({ store, clock })
    const signed = await makeAnchor({ store, clock }, { key: pem(pair.privateKey) })
    for (const [{ jws }, key] of [[own], [signed, publicPem(pair.publicKey)]] as const) {
      const place = fc.nat(jws.length - 2) // the last character has bits that say nothing
      await fc.assert(
        fc.asyncProperty(place, fc.constantFrom(...'AQgw05-_.x'), async (at, character) => {
          fc.pre(jws[at] !== character)
          await refused(jws.slice(0, at) + character + jws.slice(at + 1), key)
        }),
      )
    }
  })

  it('is refused without the key that it was signed with', async () => {
    const { jws } = await makeAnchor({ store, clock })
    await refused(jws, undefined, opened(ephemeralKeys()))
    await refused(jws, undefined, opened({ ...keys, hashing: [{ id: 'other', secret: Buffer.alloc(32) }] }))
    const signed = await makeAnchor({ store, clock }, { key: pem(pair.privateKey) })
    await refused(signed.jws)
    await refused(signed.jws, publicPem(generateKeyPairSync('ed25519').publicKey))
    await refused(signed.jws, publicPem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey))
  })

  it('is good after the hashing key was rotated, as long as the former one is configured', async () => {
    const { jws } = await makeAnchor({ store, clock })
    const rotated = opened({ ...keys, hashing: [{ id: 'new', secret: Buffer.alloc(32) }, ...keys.hashing] })
    assert.equal((await readAnchor(rotated, jws)).log, store.logId)
  })

  it('is refused that takes the public key for a secret', async () => {
    const text = publicPem(pair.publicKey)
    const signed = await makeAnchor({ store, clock }, { key: pem(pair.privateKey) })
    const [header, payload = ''] = signed.jws.split('.')
    const { kid } = JSON.parse(Buffer.from(header ?? '', 'base64url').toString())
    const forged = await new CompactSign(Buffer.from(payload, 'base64url'))
      .setProtectedHeader({ alg: 'HS256', kid, typ: 'eventstore-anchor+jwt' })
      .sign(Buffer.from(text))
    await refused(forged, text)
    await refused(
      [Buffer.from('{"alg":"none","typ":"eventstore-anchor+jwt"}').toString('base64url'), payload, 'AA'].join('.'),
    )
  })

  it('is refused that is something else', async () => {
    for (const text of ['', 'a.b.c', '..', 'x'.repeat(5_000), 'eyJhbGciOiJIUzI1NiJ9.e30.AA']) await refused(text)
    const sign = (payload: unknown): Promise<string> =>
      new CompactSign(Buffer.from(JSON.stringify(payload)))
        .setProtectedHeader({ alg: 'HS256', kid: 'ephemeral', typ: 'eventstore-anchor+jwt' })
        .sign(store.keys.anchorSecrets()[0]?.secret as Uint8Array)
    assert.equal((await readAnchor(store.keys, await sign({ log: 'a', iat: 1 }))).at, 1_000)
    for (const payload of [
      null,
      [],
      {},
      { log: 'a' },
      { log: 'a', iat: 1e300 },
      { log: 'a', iat: -1 },
      { log: 'a', iat: 8.64e12 + 1 },
      { log: 'a', iat: 1, last: {} },
      { log: 'a', iat: 1, segment: { number: 1 } },
    ])
      await refused(await sign(payload))
  })

  it('is refused without what it says of itself as it is: nobody has signed that', async () => {
    const header = Buffer.from(
      JSON.stringify({ alg: 'HS256', kid: `\u001b[31m${'x'.repeat(1_000)}`, typ: 'eventstore-anchor+jwt' }),
    ).toString('base64url')
    await assert.rejects(readAnchor(store.keys, `${header}.e30.AA`), ({ message }: Error) => {
      assert.ok(message.length < 300 && !message.includes('\u001b'), message)
      return true
    })
    await refused(undefined as unknown as string)
  })

  it('is not made with halves of two key pairs, and a key that is encrypted is named so', async () => {
    for (const curve of ['ed25519', 'P-256'] as const) {
      const [one, other] = [0, 1].map(() =>
        curve === 'ed25519'
          ? generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
          : generateKeyPairSync('ec', { namedCurve: curve }).privateKey.export({ format: 'jwk' }),
      )
      // Node.js 24 looks at that itself when it reads a key.
      const key = JSON.stringify({ ...one, d: other?.d })
      await assert.rejects(makeAnchor({ store, clock }, { key }), {
        code: 'OPTION_INVALID',
        message: /two halves|cannot be read/,
      })
    }
    const key = pair.privateKey
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' })
      .toString()
    await assert.rejects(makeAnchor({ store, clock }, { key }), { code: 'OPTION_INVALID', message: /is encrypted/ })
  })

  it('takes Ed25519 and P-256 keys, as PEM or as a JWK, and no others', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    for (const { privateKey, publicKey } of [pair, ec]) {
      const jwk = JSON.stringify(privateKey.export({ format: 'jwk' }))
      const half = JSON.stringify(publicKey.export({ format: 'jwk' }))
      for (const key of [jwk, pem(privateKey)]) {
        const { jws } = await makeAnchor({ store, clock }, { key })
        for (const known of [jwk, half, pem(privateKey), publicPem(publicKey)])
          assert.equal((await readAnchor(store.keys, jws, { key: known })).log, store.logId)
      }
      await assert.rejects(makeAnchor({ store, clock }, { key: half }), { code: 'OPTION_INVALID' })
      await assert.rejects(makeAnchor({ store, clock }, { key: publicPem(publicKey) }), { code: 'OPTION_INVALID' })
    }
    const rsa = pem(generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey)
    const p384 = pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)
    for (const key of [rsa, p384, 'secret', '{"secret', '']) {
      await assert.rejects(makeAnchor({ store, clock }, { key }), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'OPTION_INVALID')
        assert.doesNotMatch(error.message, /secret/)
        return true
      })
    }
  })
})
