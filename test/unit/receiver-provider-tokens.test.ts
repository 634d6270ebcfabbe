import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWK } from 'jose'
import Provider, { type ClientMetadata } from 'oidc-provider'
import { type LogoutTokenOptions, verifyLogoutToken } from '../../plugins/back-channel-logout-receiver/index.ts'
import { refusal } from './receiver-issuer.ts'

const SECRET = 'a client secret that is long enough for each of the HMAC algorithms'

describe('a logout token made by oidc-provider', () => {
  let server: Server
  let provider: Provider
  let issuer: string
  let jwks: JSONWebKeySet
  let decryptionKeys: Record<'RSA' | 'EC', JWK>

  before(async () => {
    server = createServer((request, response) => provider.callback()(request, response)).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const rsa = await keyPair('RSA-OAEP-256')
    const ec = await keyPair('ECDH-ES', { crv: 'P-256' })
    decryptionKeys = { RSA: rsa.privateKey, EC: ec.privateKey }
    provider = new Provider(issuer, {
      clients: clients({ keys: [rsa.publicKey, ec.publicKey] }),
      jwks: { keys: await Promise.all(['RS256', 'PS256', 'ES256', 'Ed25519'].map(signingKey)) },
      cookies: { keys: ['for tests'] },
      features: {
        backchannelLogout: { enabled: true },
        encryption: { enabled: true },
        devInteractions: { enabled: false },
      },
      subjectTypes: ['public', 'pairwise'],
      pairwiseIdentifier: (_, accountId, client) => `${accountId}-at-${client.clientId}`,
      enabledJWA: {
        idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256', 'Ed25519', 'EdDSA', 'HS256', 'HS384', 'HS512'],
        idTokenEncryptionAlgValues: ['RSA-OAEP-256', 'ECDH-ES', 'dir', 'A128KW', 'A256GCMKW'],
        idTokenEncryptionEncValues: ['A256GCM', 'A128CBC-HS256', 'A256CBC-HS512', 'A192CBC-HS384'],
      },
    })
    jwks = (await (await fetch(`${issuer}/jwks`)).json()) as JSONWebKeySet
  })

  after(() => server.close())

  for (const alg of ['RS256', 'PS256', 'ES256', 'Ed25519', 'EdDSA']) {
    it(`with ${alg} is accepted, keys from the JWKS`, async () => {
      await verifies(alg, { jwks, algorithms: [alg] })
      await verifies(alg, { jwks, algorithms: [alg], requireType: true })
    })

    it(`with ${alg} is accepted, keys from the jwks_uri`, async () => {
      await verifies(alg, { jwks: new URL(`${issuer}/jwks`), algorithms: [alg] })
    })
  }

  for (const alg of ['PS256', 'ES256', 'Ed25519', 'EdDSA', 'HS256', 'HS384', 'HS512']) {
    it(`with ${alg} is refused where the RP names no algorithm: that is RS256 alone`, async () => {
      await verifies('RS256', { jwks })
      await assert.rejects(verifies(alg, { jwks }), refusal('algorithm_not_allowed'))
    })
  }

  for (const alg of ['HS256', 'HS384', 'HS512']) {
    it(`with ${alg} is accepted, keyed with the client secret`, async () => {
      await verifies(alg, { clientSecret: SECRET, algorithms: [alg] })
      await assert.rejects(verifies(alg, { jwks, algorithms: ['ES256'] }), refusal('algorithm_not_allowed'))
    })
  }

  it('encrypted with RSA-OAEP-256 is accepted', async () => {
    await verifies('RSA-OAEP-256', { jwks, decryptionKey: decryptionKeys.RSA })
    await assert.rejects(verifies('RSA-OAEP-256', { jwks }), refusal('decryption_failed'))
    await assert.rejects(verifies('RS256', { jwks, decryptionKey: decryptionKeys.RSA }), refusal('encryption_required'))
  })

  it('encrypted with ECDH-ES is accepted, the key from a key getter', async () => {
    await verifies('ECDH-ES', { jwks, decryptionKey: () => decryptionKeys.EC })
  })

  for (const id of [
    'dir A256GCM',
    'dir A128CBC-HS256',
    'dir A192CBC-HS384',
    'dir A256CBC-HS512',
    'A128KW',
    'A256GCMKW',
  ]) {
    it(`encrypted with ${id} is accepted, the key made from the client secret`, async () => {
      await verifies(id, { jwks, clientSecret: SECRET, decryptionKey: 'client_secret' })
      await assert.rejects(
        verifies(id, { jwks, clientSecret: `not ${SECRET}`, decryptionKey: 'client_secret' }),
        refusal('decryption_failed'),
      )
    })
  }

  it('signed and encrypted with the client secret alone is accepted', async () => {
    await verifies('HS256 dir', { clientSecret: SECRET, algorithms: ['HS256'], decryptionKey: 'client_secret' })
  })

  it('for a pairwise client names the user as its ID tokens do', async () => {
    const token = await verifyLogoutToken(await logoutToken('pairwise', 'sid-1'), {
      issuer,
      audience: 'pairwise',
      jwks,
    })
    assert.equal(token.sub, 'alice-at-pairwise')
  })

  it('without sid is accepted and ends all of the user', async () => {
    const token = await verifyLogoutToken(await logoutToken('RS256'), { issuer, audience: 'RS256', jwks })
    assert.equal(token.sub, 'alice')
    assert.equal(token.sid, undefined)
  })

  it('is refused by the RP that it was not made for', async () => {
    await assert.rejects(
      verifyLogoutToken(await logoutToken('RS256', 'sid-1'), { issuer, audience: 'ES256', jwks }),
      refusal('audience_mismatch'),
    )
  })

  it('lives 120 seconds and the tolerance, no longer', async () => {
    const token = await logoutToken('RS256', 'sid-1')
    const { expiresAt, issuedAt } = await verifyLogoutToken(token, { issuer, audience: 'RS256', jwks })
    assert.equal(expiresAt - issuedAt, 120)
    const at = (seconds: number): LogoutTokenOptions => ({ issuer, audience: 'RS256', jwks, now: () => seconds * 1000 })
    await verifyLogoutToken(token, at(expiresAt + 29))
    await assert.rejects(verifyLogoutToken(token, at(expiresAt + 30)), refusal('expired'))
  })

  it('is what an ID token of the same provider is not', async () => {
    const client = await provider.Client.find('RS256')
    assert.ok(client)
    const idToken = new provider.IdToken({ sub: 'alice' }, { client })
    idToken.set('sid', 'sid-1')
    await assert.rejects(
      verifyLogoutToken(await idToken.issue({ use: 'idtoken', expiresAt: Math.floor(Date.now() / 1000) + 60 }), {
        issuer,
        audience: 'RS256',
        jwks,
      }),
      refusal('events_invalid'),
    )
  })

  async function verifies(clientId: string, options: Partial<LogoutTokenOptions>): Promise<void> {
    const before = Math.floor(Date.now() / 1000)
    const token = await verifyLogoutToken(await logoutToken(clientId, 'sid-1'), {
      issuer,
      audience: clientId,
      ...options,
    })
    assert.equal(token.issuer, issuer)
    assert.deepEqual(token.audience, [clientId])
    assert.equal(token.sub, 'alice')
    assert.equal(token.sid, 'sid-1')
    assert.ok(token.issuedAt >= before)
  }

  /** As the provider's own `Client#backchannelLogout` does it. */
  async function logoutToken(clientId: string, sid?: string): Promise<string> {
    const client = await provider.Client.find(clientId)
    assert.ok(client)
    const token = new provider.IdToken({ sub: 'alice' }, { client, ctx: undefined })
    Object.assign(token, { mask: { sub: null } })
    token.set('events', { 'http://schemas.openid.net/event/backchannel-logout': {} })
    token.set('jti', crypto.randomUUID())
    if (sid !== undefined) token.set('sid', sid)
    return token.issue({ use: 'logout' })
  }
})

function clients(jwks: JSONWebKeySet): ClientMetadata[] {
  const client = (client_id: string, more: object = {}): ClientMetadata => ({
    client_id,
    client_secret: SECRET,
    redirect_uris: ['https://rp.example/callback'],
    backchannel_logout_uri: 'https://rp.example/logout',
    ...more,
  })
  const signed = ['RS256', 'PS256', 'ES256', 'Ed25519', 'EdDSA', 'HS256', 'HS384', 'HS512']
  const encrypted = (alg: string, enc: string): object => ({
    id_token_encrypted_response_alg: alg,
    id_token_encrypted_response_enc: enc,
  })
  return [
    ...signed.map((alg) => client(alg, { id_token_signed_response_alg: alg })),
    client('RSA-OAEP-256', { jwks, ...encrypted('RSA-OAEP-256', 'A256GCM') }),
    client('ECDH-ES', { jwks, ...encrypted('ECDH-ES', 'A256GCM') }),
    ...['A256GCM', 'A128CBC-HS256', 'A192CBC-HS384', 'A256CBC-HS512'].map((enc) =>
      client(`dir ${enc}`, encrypted('dir', enc)),
    ),
    client('A128KW', encrypted('A128KW', 'A256GCM')),
    client('A256GCMKW', encrypted('A256GCMKW', 'A256GCM')),
    client('HS256 dir', { id_token_signed_response_alg: 'HS256', ...encrypted('dir', 'A256GCM') }),
    client('pairwise', { subject_type: 'pairwise' }),
  ]
}

async function signingKey(alg: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true })
  // Ed25519 serves both of its names, so that key stays without alg.
  return { ...(await exportJWK(privateKey)), use: 'sig', ...(alg !== 'Ed25519' && { alg }) }
}

async function keyPair(alg: string, more: { crv?: string } = {}): Promise<{ publicKey: JWK; privateKey: JWK }> {
  const pair = await generateKeyPair(alg, { extractable: true, ...more })
  return {
    publicKey: { ...(await exportJWK(pair.publicKey)), use: 'enc', alg },
    privateKey: { ...(await exportJWK(pair.privateKey)), alg },
  }
}
