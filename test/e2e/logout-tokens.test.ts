import assert from 'node:assert/strict'
import {
  compactDecrypt,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  type JWTPayload,
} from 'jose'
import type { ClientMetadata, Configuration } from 'oidc-provider'
import { type LogoutTokenOptions, verifyLogoutToken } from '../../plugins/back-channel-logout-receiver/index.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Client, Person, testSigningKey } from '../support/op.ts'

const SECRET = 'a client secret that is long enough for each of the HMAC algorithms'

const CAST = {
  RS256: {},
  ES256: { id_token_signed_response_alg: 'ES256' },
  HS256: { id_token_signed_response_alg: 'HS256', client_secret: SECRET },
  encrypted: { id_token_encrypted_response_alg: 'RSA-OAEP-256', id_token_encrypted_response_enc: 'A256GCM' },
  pairwise: { subject_type: 'pairwise' },
  'without-sid': { backchannel_logout_session_required: false },
  'by-sid': {},
} as const satisfies Record<string, Partial<ClientMetadata>>

type Id = keyof typeof CAST

describe('the logout token that an RP gets', () => {
  let scene: LogoutScene<Id>
  let decryptionKey: JWK
  let jwks: URL

  before(async () => {
    const encryption = await generateKeyPair('RSA-OAEP-256', { extractable: true })
    decryptionKey = await exportJWK(encryption.privateKey)
    const es256 = await generateKeyPair('ES256', { extractable: true })
    const keys = [
      await testSigningKey(),
      { ...(await exportJWK(es256.privateKey)), kid: 'ec', alg: 'ES256', use: 'sig' },
    ]
    const ours = { ...(await exportJWK(encryption.publicKey)), alg: 'RSA-OAEP-256', use: 'enc' }
    const configuration = {
      jwks: { keys },
      subjectTypes: ['public', 'pairwise'],
      pairwiseIdentifier: (_ctx, accountId, client) => `${accountId}-at-${client.clientId}`,
      features: { encryption: { enabled: true }, claimsParameter: { enabled: true } },
      enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'HS256'] },
    } as Configuration
    const cast = { ...CAST, encrypted: { ...CAST.encrypted, jwks: { keys: [ours] } } }
    scene = await LogoutScene.start<Id>(cast as never, {
      configuration,
      logout: {
        delivery: {
          clients: { 'by-sid': { sidOnly: true, tokenLifetimeSeconds: 30 }, 'without-sid': { sidOnly: true } },
        },
      },
    })
    jwks = new URL('/jwks', scene.op.issuer)
  })

  after(() => scene.stop())

  /** Logs in and out at the RP. Returns the claims of the ID token and the logout token as it came. */
  async function logout(id: Id, more: Record<string, string> = {}): Promise<{ idToken: string; logoutToken: string }> {
    const rp = scene.rps[id]
    const before = rp.tokens.length
    const person = new Person(scene.op)
    const code = (await person.authorize(id, more)).get('code')
    const { body } = await new Client(scene.op, rp.metadata).exchange(String(code))
    await person.logout()
    const tokens = await rp.received(before + 1)
    return { idToken: String(body['id_token']), logoutToken: String(tokens[before]) }
  }

  function verify(
    id: Id,
    token: string,
    more: Partial<LogoutTokenOptions> = { jwks },
  ): ReturnType<typeof verifyLogoutToken> {
    return verifyLogoutToken(token, { issuer: scene.op.issuer, audience: id, requireType: true, ...more })
  }

  for (const alg of ['RS256', 'ES256'] as const) {
    it(`is signed with ${alg}, as its ID tokens are, and names the same login`, async () => {
      const { idToken, logoutToken } = await logout(alg)
      assert.equal(decodeProtectedHeader(logoutToken).alg, alg)
      const { sub, sid } = await verify(alg, logoutToken, { jwks, algorithms: [alg] })
      assert.deepEqual({ sub, sid }, { sub: decodeJwt(idToken).sub, sid: decodeJwt(idToken)['sid'] })
      assert.equal(typeof sid, 'string')
    })
  }

  it('is signed with HS256 and the client secret where its ID tokens are', async () => {
    const { idToken, logoutToken } = await logout('HS256')
    const { sid } = await verify('HS256', logoutToken, { clientSecret: SECRET, algorithms: ['HS256'] })
    assert.equal(sid, decodeJwt(idToken)['sid'])
  })

  it('is encrypted where its ID tokens are', async () => {
    const { logoutToken } = await logout('encrypted')
    assert.equal(logoutToken.split('.').length, 5)
    const { sub, sid } = await verify('encrypted', logoutToken, { jwks, decryptionKey })
    assert.equal(sub, 'alice')
    assert.equal(typeof sid, 'string')
  })

  it('names the subject as that RP knows it, where subjects are pairwise', async () => {
    const { idToken, logoutToken } = await logout('pairwise')
    assert.equal(decodeJwt(idToken).sub, 'alice-at-pairwise')
    assert.equal((await verify('pairwise', logoutToken)).sub, 'alice-at-pairwise')
  })

  it('has no sid where the ID token had none', async () => {
    const { idToken, logoutToken } = await logout('without-sid')
    assert.equal(decodeJwt(idToken)['sid'], undefined)
    const { sub, sid } = await verify('without-sid', logoutToken)
    assert.deepEqual([sub, sid], ['alice', undefined])
  })

  it('has the sid where the RP asked for it in this login', async () => {
    const claims = JSON.stringify({ id_token: { sid: null } })
    const { idToken, logoutToken } = await logout('without-sid', { claims })
    const { sid } = await verify('without-sid', logoutToken)
    assert.equal(sid, decodeJwt(idToken)['sid'])
    assert.equal(typeof sid, 'string')
  })

  it('has the sid where the RP asked for it at a later visit of the same login', async () => {
    const rp = scene.rps['without-sid']
    const before = rp.tokens.length
    const person = new Person(scene.op)
    await person.authorize('without-sid')
    await person.authorize('without-sid', { claims: JSON.stringify({ id_token: { sid: { essential: true } } }) })
    await person.authorize('without-sid')
    await person.logout()
    const tokens = await rp.received(before + 1)
    assert.equal(typeof (await verify('without-sid', String(tokens[before]))).sid, 'string')
    await scene.quiet()
    assert.equal(rp.tokens.length, before + 1)
  })

  it('names the session alone, where the RP is to be told so', async () => {
    const { idToken, logoutToken } = await logout('by-sid')
    const { sub, sid } = await verify('by-sid', logoutToken)
    assert.deepEqual([sub, sid], [undefined, decodeJwt(idToken)['sid']])
    assert.equal('sub' in decodeJwt(logoutToken), false)
  })

  it('names the subject all the same where there is no sid', async () => {
    const { sub, sid } = await verify('without-sid', (await logout('without-sid')).logoutToken)
    assert.deepEqual([sub, sid], ['alice', undefined])
  })

  it('says when the session ended, however late it comes', async () => {
    const { logoutToken } = await logout('RS256')
    const [uid] = (await scene.ended()).slice(-1)
    const [end] = (await scene.receiptOf(String(uid))).ends
    assert.equal(decodeJwt(logoutToken)['toe'], Math.floor(Number(end?.at) / 1_000))
  })

  it('has what section 2.4 wants and nothing that it forbids', async () => {
    const { logoutToken } = await logout('RS256')
    assert.equal(decodeProtectedHeader(logoutToken).typ, 'logout+jwt')
    const claims = decodeJwt(logoutToken)
    const names = ['aud', 'events', 'exp', 'iat', 'iss', 'jti', 'sid', 'sub', 'toe']
    assert.deepEqual(Object.keys(claims).sort(), names)
    assert.deepEqual(claims['events'], { 'http://schemas.openid.net/event/backchannel-logout': {} })
    assert.equal(Number(claims.exp) - Number(claims.iat), 120)
  })

  it('is good for two minutes, or as long as is said of its client', async () => {
    for (const [id, seconds] of [
      ['RS256', 120],
      ['encrypted', 120],
      ['by-sid', 30],
    ] as const) {
      const { logoutToken } = await logout(id)
      const claims = id === 'encrypted' ? await decrypted(logoutToken) : decodeJwt(logoutToken)
      assert.equal(Number(claims.exp) - Number(claims.iat), seconds, id)
    }
  })

  async function decrypted(token: string): Promise<JWTPayload> {
    const { plaintext } = await compactDecrypt(token, await importJWK(decryptionKey, 'RSA-OAEP-256'))
    return decodeJwt(new TextDecoder().decode(plaintext))
  }
})
