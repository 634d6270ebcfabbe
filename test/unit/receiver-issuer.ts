import {
  CompactSign,
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JSONWebKeySet,
  type JWSHeaderParameters,
} from 'jose'
import type { LogoutTokenErrorCode, LogoutTokenOptions } from '../../plugins/back-channel-logout-receiver/index.ts'

export const ISSUER = 'https://op.example'
export const CLIENT = 'rp'
export const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'
/**
 * Seconds since the epoch; the verifier's clock stands here unless a test moves it. Long to come, so that no database
 * takes anything for old.
 */
export const NOW = 4_000_000_000

/** Changes to the valid token: a claim or header that is set to undefined is left out. */
export interface Changes {
  header?: Record<string, unknown>
  claims?: Record<string, unknown>
  /** Replaces the claims altogether. */
  payload?: string
  key?: CryptoKey | Uint8Array
}

/** An issuer of our own, able to make every token that oidc-provider would refuse to make. */
export interface TestIssuer {
  jwks: JSONWebKeySet
  privateKey: CryptoKey
  options: LogoutTokenOptions
  token(changes?: Changes): Promise<string>
}

export async function testIssuer(): Promise<TestIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'one', use: 'sig', alg: 'ES256' }] }
  return {
    jwks,
    privateKey,
    options: { issuer: ISSUER, audience: CLIENT, jwks, algorithms: ['ES256'], now: () => NOW * 1000 },
    token: ({ header, claims, payload, key } = {}) =>
      new CompactSign(new TextEncoder().encode(payload ?? JSON.stringify({ ...validClaims(), ...claims })))
        .setProtectedHeader({ alg: 'ES256', kid: 'one', typ: 'logout+jwt', ...header } as JWSHeaderParameters & {
          alg: string
        })
        .sign(key ?? privateKey),
  }
}

let tokens = 0

export function validClaims(): Record<string, unknown> {
  tokens += 1
  return {
    iss: ISSUER,
    aud: CLIENT,
    iat: NOW - 1,
    exp: NOW + 119,
    jti: `token-${tokens}`,
    sub: 'alice',
    sid: 'session-1',
    events: { [LOGOUT_EVENT]: {} },
  }
}

/** For `assert.rejects`: a LogoutTokenError with exactly this code. */
export function refusal(code: LogoutTokenErrorCode): { name: string; code: string } {
  return { name: 'LogoutTokenError', code }
}
