import assert from 'node:assert/strict'
import { CompactSign, type CryptoKey, exportJWK, generateKeyPair, type JSONWebKeySet } from 'jose'
import { silent } from '../../lib/index.ts'
import {
  type LogoutRequestOptions,
  type LogoutResponse,
  loggedOutSessions,
  logoutRequestHandler,
  MemoryLoggedOutStore,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { LOGOUT_EVENT, NOW } from './receiver-issuer.ts'

const FORM = 'application/x-www-form-urlencoded'
const CLIENT_SECRET = 'Zq3hYb0t9rL5sWc8nXe2uVk7mJg4fDa1pTi6oQyNwRzMxSlC'

interface Shape {
  /** What it is, and where its shape can be seen. */
  readonly name: string
  readonly header: Readonly<Record<string, string>>
  readonly claims: Readonly<Record<string, unknown>> & {
    readonly iss: string
    readonly sub?: string
    readonly sid?: string
  }
  /** The user at this OP, for tokens that do not name one. */
  readonly user?: string
  readonly contentType?: string
  readonly options?: Partial<LogoutRequestOptions>
}

const KEYCLOAK = {
  iat: NOW,
  jti: '0b1a4b4a-7c0e-4c1f-9d59-5f0f6a6f2d11',
  iss: 'https://sso.example/realms/staff',
  aud: 'intranet',
  sub: 'f4d3a8c2-51c7-4a55-8a0e-6f5f6a3e9b70',
  typ: 'Logout',
  sid: '3c2f0c5e-9f0b-4b6e-8f0e-1a2b3c4d5e6f',
  events: { [LOGOUT_EVENT]: {} },
}
const AUTHENTIK = {
  iss: 'https://auth.example/application/o/intranet/',
  sub: 'b17f9f2c58d40a3b6e0d9c9f3f0a4b1e6c2d8a7f5e4b3c2d1a0f9e8d7c6b5a49',
  aud: 'intranet',
  exp: NOW + 120,
  iat: NOW,
  jti: 'wq1jP0bXv3',
  sid: '5e1f7a0c2b9d4e8fa6c3b1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0',
  events: { [LOGOUT_EVENT]: {} },
}
const ZITADEL = {
  iss: 'https://login.example',
  sub: '302845729462878469',
  aud: ['302901635472048133'],
  iat: NOW - 1,
  exp: NOW + 300,
  jti: '309215438921564421',
  events: { [LOGOUT_EVENT]: {} },
  sid: 'V1_309214771092062469',
}
const HYDRA = {
  aud: ['intranet'],
  events: { [LOGOUT_EVENT]: {} },
  iat: NOW,
  iss: 'https://hydra.example/',
  jti: '6c1b0a2e-52c0-4c1d-8a2b-9e7a1f7f3f10',
  sid: '0f7a7a0a-2a6c-4d07-9a55-3a1d9d0c2b11',
}

const shapes: readonly Shape[] = [
  {
    name: 'Keycloak 25',
    header: { alg: 'RS256', typ: 'logout+jwt', kid: 'k' },
    claims: { ...KEYCLOAK, exp: NOW + 120 },
  },
  {
    name: 'Keycloak up to 24, whose typ is JWT (keycloak/keycloak#28939)',
    header: { alg: 'RS256', typ: 'JWT', kid: 'k' },
    claims: { ...KEYCLOAK, exp: NOW + 120 },
    contentType: `${FORM}; charset=UTF-8`, // keycloak/keycloak#7357
  },
  {
    name: 'Keycloak with "revoke offline sessions", a second event (CZ-NIC/pyoidc#887)',
    header: { alg: 'RS256', typ: 'JWT', kid: 'k' },
    claims: { ...KEYCLOAK, exp: NOW + 120, events: { [LOGOUT_EVENT]: {}, revoke_offline_access: true } },
  },
  {
    name: 'Keycloak up to 23.0.3, without exp (keycloak/keycloak#25753)',
    header: { alg: 'RS256', typ: 'JWT', kid: 'k' },
    claims: KEYCLOAK,
    options: { requireExpiry: false },
  },
  {
    name: 'authentik 2025.12 (booklore-app/booklore#3291)',
    header: { alg: 'RS256', kid: 'k', typ: 'logout+jwt' },
    claims: AUTHENTIK,
  },
  {
    name: 'authentik before, whose typ is JWT',
    header: { alg: 'RS256', kid: 'k', typ: 'JWT' },
    claims: AUTHENTIK,
  },
  {
    name: 'authentik without a signing key, which signs with the client secret',
    header: { alg: 'HS256', typ: 'JWT' },
    claims: AUTHENTIK,
    options: { clientSecret: CLIENT_SECRET, algorithms: ['HS256'] },
  },
  {
    name: 'authentik 2025.8.1, without exp (goauthentik/authentik#16490)',
    header: { alg: 'RS256', kid: 'k', typ: 'JWT' },
    claims: { ...AUTHENTIK, exp: undefined },
    options: { requireExpiry: false },
  },
  {
    name: 'ZITADEL, with a list for its audience and five minutes of life',
    header: { alg: 'RS256', kid: 'k', typ: 'JWT' },
    claims: ZITADEL,
  },
  {
    name: 'Ory Hydra 2, with neither sub nor exp (nextcloud/user_oidc#1049, ory/hydra#4035)',
    header: { alg: 'RS256', kid: 'k', typ: 'JWT' },
    claims: HYDRA,
    user: 'alice',
    options: { requireExpiry: false },
  },
]

describe('a logout token of the shape of', () => {
  let privateKey: CryptoKey
  let jwks: JSONWebKeySet

  before(async () => {
    const pair = await generateKeyPair('RS256')
    privateKey = pair.privateKey
    jwks = { keys: [{ ...(await exportJWK(pair.publicKey)), kid: 'k', use: 'sig', alg: 'RS256' }] }
  })

  async function send(
    { header, claims, contentType = FORM }: Shape,
    options: LogoutRequestOptions,
  ): Promise<LogoutResponse> {
    const key = header['alg'] === 'HS256' ? new TextEncoder().encode(CLIENT_SECRET) : privateKey
    const token = await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
      .setProtectedHeader({ alg: 'RS256', ...header })
      .sign(key)
    const body = new URLSearchParams({ logout_token: token }).toString()
    return logoutRequestHandler(options)({ method: 'POST', contentType, body })
  }

  for (const shape of shapes) {
    const { name, claims, user = claims.sub ?? '', options = {} } = shape

    it(`${name}, ends its session and no other`, async () => {
      const now = (): number => NOW * 1000
      const sessions = loggedOutSessions({
        store: new MemoryLoggedOutStore(),
        sessionMaxAgeSeconds: 600,
        now,
        logger: silent,
      })
      const [ended, other] = [{}, {}]
      const audience = [claims['aud']].flat().map(String)
      sessions.onLogin(ended, { iss: claims.iss, sub: user, sid: claims.sid, iat: NOW - 100 })
      sessions.onLogin(other, { iss: claims.iss, sub: user, sid: 'another', iat: NOW - 100 })
      const base = { issuer: claims.iss, audience, jwks, now, onLogout: sessions.onLogout }
      const { status, error } = await send(shape, { ...base, ...options })
      assert.equal(error, undefined)
      assert.equal(status, 200)
      assert.deepEqual([await sessions.isLoggedOut(ended), await sessions.isLoggedOut(other)], [true, false])
    })
  }

  for (const shape of shapes.filter(({ options }) => options?.requireExpiry === false)) {
    it(`${shape.name}, is refused by the default, and the answer names exp`, async () => {
      const { claims } = shape
      const audience = [claims['aud']].flat().map(String)
      const base = { issuer: claims.iss, audience, jwks, now: () => NOW * 1000, onLogout: () => assert.fail() }
      const { status, body, error } = await send(shape, base)
      assert.equal(status, 400)
      assert.match(body, /expiry_invalid: The exp claim/)
      assert.match(String(error), /requireExpiry: false/, 'and the log says what to set')
    })
  }
})
