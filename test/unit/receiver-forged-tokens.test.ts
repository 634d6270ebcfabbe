import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  CompactEncrypt,
  CompactSign,
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  exportJWK,
  FlattenedSign,
  generateKeyPair,
  type JSONWebKeySet,
  type JWK,
  UnsecuredJWT,
} from 'jose'
import {
  LogoutTokenError,
  type LogoutTokenErrorCode,
  type LogoutTokenOptions,
  logoutTokenErrorCodes,
  verifyLogoutToken,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { quoted } from '../../plugins/back-channel-logout-receiver/logout-token-error.ts'
import {
  type Changes,
  CLIENT,
  ISSUER,
  LOGOUT_EVENT,
  NOW,
  refusal,
  type TestIssuer,
  testIssuer,
  validClaims,
} from './receiver-issuer.ts'

describe('a logout token', () => {
  let op: TestIssuer
  let foreign: TestIssuer

  before(async () => {
    op = await testIssuer()
    foreign = await testIssuer()
  })

  describe('that keeps every rule', () => {
    it('is accepted, and comes back typed', async () => {
      const token = await verifyLogoutToken(await op.token({ claims: { jti: 'x', more: 1 } }), op.options)
      const { claims, ...rest } = token
      assert.deepEqual(rest, {
        issuer: ISSUER,
        audience: [CLIENT],
        sub: 'alice',
        sid: 'session-1',
        jti: 'x',
        issuedAt: NOW - 1,
        expiresAt: NOW + 119,
      })
      assert.equal(claims.more, 1)
    })

    const accepted: [string, Changes][] = [
      ['without typ', { header: { typ: undefined } }],
      ...['logout+jwt', 'Logout+JWT', 'application/logout+jwt', 'Application/Logout+Jwt'].map(
        (typ): [string, Changes] => [`with typ ${typ}`, { header: { typ } }],
      ),
      ...['JWT', 'jwt', 'application/jwt', 'Application/JWT'].map((typ): [string, Changes] => [
        `with typ ${typ}, as many OPs send it`,
        { header: { typ } },
      ]),
      ['without kid', { header: { kid: undefined } }],
      ['with sub alone', { claims: { sid: undefined } }],
      ['with sid alone', { claims: { sub: undefined } }],
      ['for several audiences', { claims: { aud: ['other', CLIENT] } }],
      ['with a second event', { claims: { events: { [LOGOUT_EVENT]: {}, 'urn:other': {} } } }],
      ['with members in the event', { claims: { events: { [LOGOUT_EVENT]: { reason: 'x' } } } }],
      ['with an nbf in the past', { claims: { nbf: NOW - 5 } }],
      ['with an nbf 30 s ahead', { claims: { nbf: NOW + 30 } }],
      ['from a clock 30 s ahead', { claims: { iat: NOW + 30, exp: NOW + 150 } }],
      ['expired less than 30 s ago', { claims: { iat: NOW - 149, exp: NOW - 29 } }],
      ['of the greatest age', { claims: { iat: NOW - 329 } }],
    ]
    for (const [name, changes] of accepted) {
      it(`is accepted ${name}`, async () => {
        await verifyLogoutToken(await op.token(changes), op.options)
      })
    }

    it('leaves out sub and sid where the token has none', async () => {
      const bySid = await verifyLogoutToken(await op.token({ claims: { sub: undefined } }), op.options)
      const bySub = await verifyLogoutToken(await op.token({ claims: { sid: undefined } }), op.options)
      assert.equal(Object.hasOwn(bySid, 'sub'), false)
      assert.equal(Object.hasOwn(bySub, 'sid'), false)
    })

    it('is accepted for any of several client ids', async () => {
      await verifyLogoutToken(await op.token(), { ...op.options, audience: ['other', CLIENT] })
    })
  })

  describe('that breaks one rule', () => {
    const forged: [LogoutTokenErrorCode, string, Changes][] = [
      ['type_invalid', 'typed as an access token', { header: { typ: 'at+jwt' } }],
      ['type_invalid', 'typed as some other security event', { header: { typ: 'secevent+jwt' } }],
      ['type_invalid', 'with a typ that only ends well', { header: { typ: 'text/jwt' } }],
      ['type_invalid', 'with an empty typ', { header: { typ: '' } }],
      ['type_invalid', 'with a typ that is null', { header: { typ: null } }],
      ['type_invalid', 'with a typ that is no string', { header: { typ: 1 } }],
      ['issuer_mismatch', 'of another issuer', { claims: { iss: 'https://evil.example' } }],
      ['issuer_mismatch', 'whose issuer has one slash more', { claims: { iss: `${ISSUER}/` } }],
      ['issuer_mismatch', 'without issuer', { claims: { iss: undefined } }],
      ['issuer_mismatch', 'with the issuer in a list', { claims: { iss: [ISSUER] } }],
      ['audience_mismatch', 'for another client', { claims: { aud: 'other' } }],
      ['audience_mismatch', 'for other clients', { claims: { aud: ['other', 'more'] } }],
      ['audience_mismatch', 'for nobody', { claims: { aud: [] } }],
      ['audience_mismatch', 'without audience', { claims: { aud: undefined } }],
      ['audience_mismatch', 'with an audience that is no string', { claims: { aud: [CLIENT, 7] } }],
      ['issued_at_invalid', 'without iat', { claims: { iat: undefined } }],
      ['issued_at_invalid', 'with iat as text', { claims: { iat: `${NOW}` } }],
      ['issued_at_invalid', 'from the future', { claims: { iat: NOW + 31, exp: NOW + 151 } }],
      ['issued_at_invalid', 'that is old though not expired', { claims: { iat: NOW - 330, exp: NOW + 1000 } }],
      ['not_yet_valid', 'that begins later', { claims: { nbf: NOW + 31 } }],
      ...['now', `${NOW}`, null].map((nbf): [LogoutTokenErrorCode, string, Changes] => [
        'not_yet_valid',
        `with nbf ${JSON.stringify(nbf)}`,
        { claims: { nbf } },
      ]),
      ['expiry_invalid', 'without exp', { claims: { exp: undefined } }],
      ['expiry_invalid', 'with exp as text', { claims: { exp: `${NOW + 100}` } }],
      [
        'expiry_invalid',
        'with an exp that no number can hold',
        { payload: JSON.stringify({ ...validClaims(), exp: 7 }).replace('"exp":7', '"exp":1e400') },
      ],
      ['expired', 'that has expired', { claims: { exp: NOW - 30 } }],
      ['subject_missing', 'with neither sub nor sid', { claims: { sub: undefined, sid: undefined } }],
      ['subject_invalid', 'with an empty sub', { claims: { sub: '' } }],
      ['subject_invalid', 'with a sub that is null', { claims: { sub: null } }],
      ['subject_invalid', 'with a sid that is a list', { claims: { sid: ['session-1'] } }],
      ['events_invalid', 'without events', { claims: { events: undefined } }],
      ['events_invalid', 'with events as a list', { claims: { events: [LOGOUT_EVENT] } }],
      ['events_invalid', 'with events as null', { claims: { events: null } }],
      ['events_invalid', 'with another event', { claims: { events: { 'urn:other': {} } } }],
      ['events_invalid', 'whose event is true', { claims: { events: { [LOGOUT_EVENT]: true } } }],
      ['events_invalid', 'whose event is null', { claims: { events: { [LOGOUT_EVENT]: null } } }],
      ['events_invalid', 'whose event is a list', { claims: { events: { [LOGOUT_EVENT]: [] } } }],
      ['nonce_present', 'with a nonce', { claims: { nonce: 'n' } }],
      ['nonce_present', 'with a nonce that is null', { claims: { nonce: null } }],
      ['jti_missing', 'without jti', { claims: { jti: undefined } }],
      ['jti_missing', 'with an empty jti', { claims: { jti: '' } }],
      ['jti_missing', 'with a jti that is a number', { claims: { jti: 7 } }],
      ['token_malformed', 'whose payload is no JSON', { payload: 'logout' }],
      ['token_malformed', 'whose payload is a list', { payload: '[]' }],
      ['key_not_found', 'of an unknown kid', { header: { kid: 'two' } }],
    ]
    for (const [code, name, changes] of forged) {
      it(`is refused with ${code} ${name}`, async () => {
        await assert.rejects(verifyLogoutToken(await op.token(changes), op.options), refusal(code))
      })
    }

    for (const typ of [undefined, 'JWT', 'application/jwt']) {
      it(`is refused with type_invalid with typ ${typ} where the RP requires logout+jwt`, async () => {
        const options = { ...op.options, requireType: true }
        await verifyLogoutToken(await op.token(), options)
        await verifyLogoutToken(await op.token({ header: { typ: 'application/LOGOUT+jwt' } }), options)
        await assert.rejects(verifyLogoutToken(await op.token({ header: { typ } }), options), refusal('type_invalid'))
      })
    }

    describe('and has no exp, at an RP that does without', () => {
      const without = (iat: number): Changes => ({ claims: { iat, exp: undefined } })
      const lenient = (): LogoutTokenOptions => ({ ...op.options, requireExpiry: false, maxAgeSeconds: 60 })

      it('is accepted for maxAgeSeconds, and says when that ends', async () => {
        const { expiresAt } = await verifyLogoutToken(await op.token(without(NOW - 89)), lenient())
        assert.equal(expiresAt, NOW - 89 + 60)
        const tooOld = verifyLogoutToken(await op.token(without(NOW - 90)), lenient())
        await assert.rejects(tooOld, refusal('expired'))
      })

      it('is refused with expiry_invalid when exp is there and no number, and with expired when it has passed', async () => {
        for (const [exp, code] of [
          [null, 'expiry_invalid'],
          ['1', 'expiry_invalid'],
          [NOW - 30, 'expired'],
        ] as const) {
          await assert.rejects(verifyLogoutToken(await op.token({ claims: { exp } }), lenient()), refusal(code))
        }
      })
    })

    it('says of a payload that is no JSON that it is none', async () => {
      for (const [payload, message] of [
        ['logout', /the payload is not JSON/],
        ['[]', /the payload is not a JSON object/],
      ] as const) {
        const token = await op.token({ payload })
        await assert.rejects(verifyLogoutToken(token, op.options), { ...refusal('token_malformed'), message })
      }
    })

    it('is refused with token_malformed when its payload is no text', async () => {
      const [before, after] = JSON.stringify({ ...validClaims(), sub: '|' }).split('|')
      const payload = Buffer.concat([Buffer.from(String(before)), Buffer.from([0xff]), Buffer.from(String(after))])
      const token = await new CompactSign(payload).setProtectedHeader({ alg: 'ES256', kid: 'one' }).sign(op.privateKey)
      await assert.rejects(verifyLogoutToken(token, op.options), refusal('token_malformed'))
    })

    it('is refused with token_malformed when its payload is not encoded', async () => {
      for (const payload of ['null', JSON.stringify(validClaims())]) {
        const jws = await new FlattenedSign(new TextEncoder().encode(payload))
          .setProtectedHeader({ alg: 'ES256', kid: 'one', b64: false, crit: ['b64'] })
          .sign(op.privateKey)
        const token = `${jws.protected}.${payload}.${jws.signature}`
        await assert.rejects(verifyLogoutToken(token, op.options), refusal('token_malformed'))
      }
    })

    it('is refused with token_malformed when it has a critical header that is not understood', async () => {
      const [, payload] = (await op.token()).split('.')
      const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: 'one', crit: ['x'], x: 1 })).toString('base64url')
      await assert.rejects(verifyLogoutToken(`${header}.${payload}.AAAA`, op.options), refusal('token_malformed'))
    })

    it('is refused with signature_invalid when another key made it', async () => {
      const token = await op.token({ key: foreign.privateKey })
      await assert.rejects(verifyLogoutToken(token, op.options), refusal('signature_invalid'))
    })

    it('is refused with signature_invalid when its claims were exchanged', async () => {
      const [header, , signature] = (await op.token()).split('.')
      const claims = Buffer.from(JSON.stringify({ ...validClaims(), sub: 'bob' })).toString('base64url')
      await assert.rejects(
        verifyLogoutToken(`${header}.${claims}.${signature}`, op.options),
        refusal('signature_invalid'),
      )
    })

    it('is refused with signature_invalid without kid when no key fits', async () => {
      const keys = [...op.jwks.keys, { ...foreign.jwks.keys[0], kid: 'two' }]
      const other = await testIssuer()
      const token = await op.token({ header: { kid: undefined }, key: other.privateKey })
      await assert.rejects(verifyLogoutToken(token, { ...op.options, jwks: { keys } }), refusal('signature_invalid'))
    })

    const otherKey = async (): Promise<JWK> => exportJWK((await generateKeyPair('ES256')).publicKey)

    it('is accepted without kid when the last of 100 keys fits, and refused when there are more, for want of a kid', async () => {
      const others = await Promise.all(Array.from({ length: 100 }, otherKey))
      const token = await op.token({ header: { kid: undefined } })
      const verify = (count: number) =>
        verifyLogoutToken(token, { ...op.options, jwks: { keys: [...others.slice(0, count), ...op.jwks.keys] } })
      await verify(99)
      await assert.rejects(verify(100), { ...refusal('key_not_found'), message: /name one by kid/ })
    })

    it('is accepted without kid though one of several keys cannot be used, and cannot be validated if no other fits', async () => {
      const broken = { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA' }
      const jwks = async (): Promise<never> => {
        const candidates = {
          async *[Symbol.asyncIterator]() {
            yield new Uint8Array(32) // no key of this algorithm
            yield* op.jwks.keys
          },
        }
        throw Object.assign(new errors.JWKSMultipleMatchingKeys(), candidates)
      }
      await verifyLogoutToken(await op.token(), { ...op.options, jwks })
      const forged = await op.token({ key: foreign.privateKey })
      await assert.rejects(verifyLogoutToken(forged, { ...op.options, jwks }), refusal('key_unavailable'))
      const keys = [broken, ...op.jwks.keys]
      await verifyLogoutToken(await op.token({ header: { kid: undefined } }), { ...op.options, jwks: { keys } })
    })

    it('is accepted without kid when the second of several keys fits', async () => {
      const keys = [{ ...foreign.jwks.keys[0], kid: 'two' }, ...op.jwks.keys]
      await verifyLogoutToken(await op.token({ header: { kid: undefined } }), { ...op.options, jwks: { keys } })
    })

    it('is refused with algorithm_not_allowed when it is unsecured', async () => {
      const token = new UnsecuredJWT(validClaims()).encode()
      await assert.rejects(verifyLogoutToken(token, op.options), refusal('algorithm_not_allowed'))
    })

    it('is refused with algorithm_not_allowed when HS256 is keyed with the public key', async () => {
      const key = new TextEncoder().encode(JSON.stringify(op.jwks.keys[0]))
      const token = await op.token({ key, header: { alg: 'HS256' } })
      await assert.rejects(verifyLogoutToken(token, op.options), refusal('algorithm_not_allowed'))
    })

    it('is refused with algorithm_not_allowed when HS256 is given to a key getter that answers with bytes', async () => {
      const key = new TextEncoder().encode('what everybody knows of this key')
      const token = await op.token({ key, header: { alg: 'HS256' } })
      await assert.rejects(
        verifyLogoutToken(token, { ...op.options, jwks: () => key }),
        refusal('algorithm_not_allowed'),
      )
    })

    it('is refused with algorithm_not_allowed outside the list of the RP', async () => {
      await assert.rejects(
        verifyLogoutToken(await op.token(), { ...op.options, algorithms: ['RS256'] }),
        refusal('algorithm_not_allowed'),
      )
    })

    it('is refused with signature_invalid when the client secret is another', async () => {
      const key = new TextEncoder().encode('a client secret of thirty-two bytes and more')
      const token = await op.token({ key, header: { alg: 'HS256' } })
      const { jwks: _, ...rest } = op.options
      const options = { ...rest, algorithms: ['HS256'] }
      await verifyLogoutToken(token, { ...options, clientSecret: 'a client secret of thirty-two bytes and more' })
      await assert.rejects(
        verifyLogoutToken(token, { ...options, clientSecret: 'another' }),
        refusal('signature_invalid'),
      )
    })

    it('is validated by the secret or by the keys of the issuer, never by the other, where an RP allows both', async () => {
      const clientSecret = 'a client secret of thirty-two bytes and more'
      const both = { ...op.options, clientSecret, algorithms: ['ES256', 'HS256'] }
      const key = new TextEncoder().encode(clientSecret)
      await verifyLogoutToken(await op.token(), both)
      await verifyLogoutToken(await op.token({ key, header: { alg: 'HS256' } }), both)
      const publicKey = new TextEncoder().encode(JSON.stringify(op.jwks.keys[0]))
      await assert.rejects(
        verifyLogoutToken(await op.token({ key: publicKey, header: { alg: 'HS256' } }), both),
        refusal('signature_invalid'),
      )
    })

    const garbage: [LogoutTokenErrorCode, string, string][] = [
      ['token_missing', 'empty', ''],
      ['token_malformed', 'one word', 'logout'],
      ['token_malformed', 'two parts', 'a.b'],
      ['token_malformed', 'four parts', 'a.b.c.d'],
      ['token_malformed', 'six parts', 'a.b.c.d.e.f'],
      ['token_malformed', 'three empty parts', '..'],
      ['token_malformed', 'no base64url', '{}.{}.{}'],
      ['decryption_failed', 'encrypted for an RP without key', 'a.b.c.d.e'],
    ]
    for (const [code, name, token] of garbage) {
      it(`is refused with ${code} when it is ${name}`, async () => {
        await assert.rejects(verifyLogoutToken(token, op.options), refusal(code))
      })
    }

    it('is refused with token_missing or token_malformed when it is no string', async () => {
      for (const token of [undefined, null]) {
        await assert.rejects(verifyLogoutToken(token as unknown as string, op.options), refusal('token_missing'))
      }
      await assert.rejects(verifyLogoutToken(7 as unknown as string, op.options), refusal('token_malformed'))
    })

    it('is refused with token_malformed when the last letter of its signature is spelt differently', async () => {
      const token = await op.token()
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      const twin = token.slice(0, -1) + alphabet[alphabet.indexOf(token.slice(-1)) + 1]
      assert.deepEqual(Buffer.from(token.slice(-2), 'base64url'), Buffer.from(twin.slice(-2), 'base64url'))
      await assert.rejects(verifyLogoutToken(twin, op.options), refusal('token_malformed'))
    })
  })

  describe('for an RP that registered for encryption', () => {
    let options: TestIssuer['options']
    let encrypt: (content: string | Uint8Array, header?: Record<string, unknown>) => Promise<string>

    before(async () => {
      const { publicKey, privateKey } = await generateKeyPair('RSA-OAEP-256')
      options = { ...op.options, decryptionKey: privateKey }
      encrypt = (content, header) =>
        new CompactEncrypt(typeof content === 'string' ? new TextEncoder().encode(content) : content)
          .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', cty: 'JWT', ...header })
          .encrypt(publicKey)
    })

    it('is accepted when it is signed and encrypted', async () => {
      await verifyLogoutToken(await encrypt(await op.token()), options)
    })

    it('is accepted within the lists of the RP', async () => {
      const lists = { keyManagementAlgorithms: ['RSA-OAEP-256'], contentEncryptionAlgorithms: ['A256GCM'] }
      await verifyLogoutToken(await encrypt(await op.token()), { ...options, ...lists })
    })

    it('is refused with decryption_failed when its algorithm has no key that could be made of the client secret', async () => {
      const secret = { clientSecret: 'a client secret', decryptionKey: 'client_secret' as const }
      const token = await encrypt(await op.token())
      await assert.rejects(verifyLogoutToken(token, { ...op.options, ...secret }), refusal('decryption_failed'))
    })

    it('is refused with decryption_failed when what is encrypted is no text', async () => {
      const token = await encrypt(new Uint8Array([0xff, 0xfe]))
      await assert.rejects(verifyLogoutToken(token, options), refusal('decryption_failed'))
    })

    it('is refused with encryption_required when it is only signed', async () => {
      await assert.rejects(verifyLogoutToken(await op.token(), options), refusal('encryption_required'))
    })

    it('is refused with token_malformed when it is only encrypted', async () => {
      await assert.rejects(
        verifyLogoutToken(await encrypt(JSON.stringify(validClaims())), options),
        refusal('token_malformed'),
      )
    })

    it('is refused with signature_invalid when the inner token is forged', async () => {
      const token = await encrypt(await op.token({ key: foreign.privateKey }))
      await assert.rejects(verifyLogoutToken(token, options), refusal('signature_invalid'))
    })

    it('is refused with decryption_failed when one part is changed', async () => {
      const parts = (await encrypt(await op.token())).split('.')
      for (const index of [1, 2, 3, 4]) {
        const changed = parts
          .map((part, at) => (at === index ? (part.startsWith('A') ? 'B' : 'A') + part.slice(1) : part))
          .join('.')
        await assert.rejects(verifyLogoutToken(changed, options), refusal('decryption_failed'))
      }
    })

    it('is refused with decryption_failed when it is compressed', async () => {
      const token = await encrypt(await op.token(), { zip: 'DEF' })
      await assert.rejects(verifyLogoutToken(token, options), refusal('decryption_failed'))
    })

    it('is refused with decryption_failed outside the lists of the RP', async () => {
      const token = await encrypt(await op.token())
      await assert.rejects(
        verifyLogoutToken(token, { ...options, keyManagementAlgorithms: ['ECDH-ES'] }),
        refusal('decryption_failed'),
      )
      await assert.rejects(
        verifyLogoutToken(token, { ...options, contentEncryptionAlgorithms: ['A128GCM'] }),
        refusal('decryption_failed'),
      )
    })

    for (const [claim, value] of [
      ['iss', 'https://evil.example'],
      ['sub', 'bob'],
      ['aud', ['other']],
    ] as const) {
      it(`is refused with token_malformed when the outer header has another ${claim}`, async () => {
        const replicated = { iss: ISSUER, aud: CLIENT, sub: 'alice', other: 1 }
        await verifyLogoutToken(await encrypt(await op.token(), replicated), options)
        const token = await encrypt(await op.token(), { ...replicated, [claim]: value })
        const message = new RegExp(`${claim} in the header`)
        await assert.rejects(verifyLogoutToken(token, options), { ...refusal('token_malformed'), message })
      })
    }
  })

  describe('that cannot be validated now', () => {
    it('is no bad token: key_unavailable when the key getter fails', async () => {
      const broken = async (): Promise<never> => {
        throw new Error('no network')
      }
      const error: unknown = await verifyLogoutToken(await op.token(), { ...op.options, jwks: broken }).catch(
        (reason: unknown) => reason,
      )
      assert.ok(error instanceof LogoutTokenError)
      assert.equal(error.code, 'key_unavailable')
      assert.equal(error.retryable, true)
      assert.ok(error.cause instanceof Error && error.cause.message === 'no network')
    })

    it('is no bad token: key_unavailable whatever the key getter rejects with, which is the cause', async () => {
      for (const reason of [null, 'text', { code: errors.JWKSNoMatchingKey.code }, new TypeError('no number')]) {
        const options = { ...op.options, jwks: () => Promise.reject(reason) }
        const error: unknown = await verifyLogoutToken(await op.token(), options).catch((thrown: unknown) => thrown)
        assert.ok(error instanceof LogoutTokenError && error.code === 'key_unavailable')
        assert.equal(error.cause, reason)
      }
    })

    it('is no bad token: key_unavailable when the jwks_uri answers with an error or with nonsense', async () => {
      for (const [status, body] of [
        [500, '{}'],
        [200, 'nonsense'],
        [200, '{"keys":1}'],
      ] as const) {
        const server = createServer((_, response) => response.writeHead(status).end(body)).listen(0, '127.0.0.1')
        await new Promise((resolve) => server.once('listening', resolve))
        const jwks = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`)
        await assert.rejects(verifyLogoutToken(await op.token(), { ...op.options, jwks }), refusal('key_unavailable'))
        server.close()
      }
    })

    it('is no bad token: key_unavailable when the key is of another kind than the algorithm', async () => {
      const { publicKey } = await generateKeyPair('RS256')
      await assert.rejects(
        verifyLogoutToken(await op.token(), { ...op.options, jwks: () => publicKey }),
        refusal('key_unavailable'),
      )
    })

    it('is no bad token while its key may be too new to be known, and a bad one after the keys were fetched again', async () => {
      const rotated = await testIssuer()
      const keys = { keys: rotated.jwks.keys.map((key) => ({ ...key, kid: 'two' })) }
      let jwks: JSONWebKeySet = op.jwks
      let fetches = 0
      const server = createServer((_, response) => {
        fetches += 1
        response.setHeader('content-type', 'application/json').end(JSON.stringify(jwks))
      }).listen(0, '127.0.0.1')
      await new Promise((resolve) => server.once('listening', resolve))
      const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`)
      const patient = { ...op.options, jwks: url }
      await verifyLogoutToken(await op.token(), patient)
      jwks = keys
      const token = await rotated.token({ header: { kid: 'two' } })
      await assert.rejects(verifyLogoutToken(token, patient), refusal('key_unavailable'))
      await verifyLogoutToken(await op.token(), patient)
      assert.equal(fetches, 1, 'the key set is shared by all calls')
      const cooling = { ...op.options, jwks: createRemoteJWKSet(url) }
      await assert.rejects(verifyLogoutToken(await op.token(), cooling), refusal('key_not_found'))
      await assert.rejects(verifyLogoutToken(await op.token(), cooling), refusal('key_unavailable'))
      const eager = { ...op.options, jwks: createRemoteJWKSet(url, { cooldownDuration: 0 }) }
      await verifyLogoutToken(token, eager)
      await assert.rejects(verifyLogoutToken(await op.token(), eager), refusal('key_not_found'))
      server.close()
    })

    it('is sorted by code, whichever copy of jose the key getter comes from', async () => {
      const otherCopy = Object.assign(new Error('no key'), { code: errors.JWKSNoMatchingKey.code })
      const jwks = async (): Promise<never> => {
        throw otherCopy
      }
      await assert.rejects(verifyLogoutToken(await op.token(), { ...op.options, jwks }), refusal('key_not_found'))
    })

    it('is accepted with a key getter of jose', async () => {
      await verifyLogoutToken(await op.token(), { ...op.options, jwks: createLocalJWKSet(op.jwks) })
    })
  })

  describe('and its error', () => {
    it('has a description that RFC 6749 section 5.2 allows, for every code', () => {
      for (const code of logoutTokenErrorCodes) {
        const error = new LogoutTokenError(code)
        assert.match(`${error.code}: ${error.description}`, /^[\x20-\x21\x23-\x5B\x5D-\x7E]+$/)
      }
    })

    it('has a message without brackets, and no cause, where there is nothing to add', () => {
      const error = new LogoutTokenError('expired')
      assert.equal(error.message, error.description)
      assert.equal(Object.hasOwn(error, 'cause'), false)
      const cause = new Error('why')
      assert.equal(new LogoutTokenError('expired', { cause }).cause, cause)
      assert.equal(new LogoutTokenError('expired', { detail: '5 s ago' }).message, `${error.description} (5 s ago)`)
    })

    it('quotes values that came from outside in one line of at most 120 characters', () => {
      assert.equal(quoted('a\nb'), '"a\\nb"')
      assert.equal(quoted(undefined), 'nothing')
      assert.equal(quoted('x'.repeat(118)), `"${'x'.repeat(118)}"`)
      assert.equal(quoted('x'.repeat(119)), `"${'x'.repeat(116)}...`)
      assert.equal(quoted('x'.repeat(119)).length, 120)
    })

    it('says in its message what was expected and what came, cut short', async () => {
      const token = await op.token({ claims: { iss: `https://evil.example/\n${'x'.repeat(500)}` } })
      await assert.rejects(verifyLogoutToken(token, op.options), ({ message }: Error) => {
        assert.match(message, /expected "https:\/\/op.example", got "https:\/\/evil.example/)
        return message.length < 400 && !message.includes('\n')
      })
    })

    it('is retryable for exactly the codes that say nothing about the token', () => {
      const retryable = logoutTokenErrorCodes.filter((code) => new LogoutTokenError(code).retryable)
      assert.deepEqual(retryable, [
        'key_unavailable',
        'replay_store_unavailable',
        'in_progress',
        'body_unreadable',
        'timed_out',
      ])
    })
  })
})
