import { randomBytes } from 'node:crypto'
import type { ModelName, Payload } from '../../../lib/provider/models.ts'

export const MODELS: readonly ModelName[] = [
  'Session',
  'AccessToken',
  'AuthorizationCode',
  'RefreshToken',
  'DeviceCode',
  'ClientCredentials',
  'Client',
  'InitialAccessToken',
  'RegistrationAccessToken',
  'Interaction',
  'ReplayDetection',
  'PushedAuthorizationRequest',
  'Grant',
  'BackchannelAuthenticationRequest',
  'PreAuthorizedCode',
]

/** Models that the provider calls `consume` of. */
export const CONSUMABLES: readonly ModelName[] = [
  'AuthorizationCode',
  'RefreshToken',
  'DeviceCode',
  'PushedAuthorizationRequest',
  'BackchannelAuthenticationRequest',
  'PreAuthorizedCode',
]

/** Models that the provider calls `revokeByGrantId` of. */
export const GRANTABLES: readonly ModelName[] = [
  'AccessToken',
  'AuthorizationCode',
  'RefreshToken',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
  'PreAuthorizedCode',
]

/** An id as the provider makes them. */
export function newId(): string {
  return randomBytes(32).toString('base64url')
}

/** A payload as the provider hands it to the adapter. */
export function sample(model: ModelName, id: string, more: Payload = {}): Payload {
  const now = Math.floor(Date.now() / 1000)
  if (model === 'Client') return { client_id: id, client_secret: newId(), redirect_uris: ['https://rp/cb'], ...more }
  return { iat: now, exp: now + 3600, jti: id, kind: model, ...SPECIFIC[model]?.(), ...more }
}

const SPECIFIC: Partial<Record<ModelName, () => Payload>> = {
  Session: () => ({
    uid: newId(),
    accountId: 'alice',
    loginTs: 1,
    authorizations: { rp: { sid: newId(), grantId: newId() }, 'a.b.$c': {} },
  }),
  AccessToken: () => ({ accountId: 'alice', clientId: 'rp', grantId: newId(), claims: {}, extra: { 'a.b': [null] } }),
  AuthorizationCode: () => ({ accountId: 'alice', clientId: 'rp', grantId: newId(), redirectUri: 'https://rp/cb' }),
  RefreshToken: () => ({ accountId: 'alice', clientId: 'rp', grantId: newId(), rotations: 1 }),
  DeviceCode: () => ({ clientId: 'rp', grantId: newId(), userCode: newId(), params: { scope: 'openid' } }),
  Interaction: () => ({ params: { state: 'Zürich ☃' }, prompt: { name: 'login', reasons: [], details: {} } }),
  Grant: () => ({ accountId: 'alice', clientId: 'rp', openid: { scope: 'openid' } }),
  BackchannelAuthenticationRequest: () => ({ clientId: 'rp', grantId: newId(), params: {} }),
  PreAuthorizedCode: () => ({ clientId: 'rp', grantId: newId() }),
  ReplayDetection: () => ({ iss: 'rp' }),
}
