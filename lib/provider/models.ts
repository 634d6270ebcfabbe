/** The fifteen models that oidc-provider 9 stores. */
export type ModelName =
  | 'Session'
  | 'AccessToken'
  | 'AuthorizationCode'
  | 'RefreshToken'
  | 'DeviceCode'
  | 'ClientCredentials'
  | 'Client'
  | 'InitialAccessToken'
  | 'RegistrationAccessToken'
  | 'Interaction'
  | 'ReplayDetection'
  | 'PushedAuthorizationRequest'
  | 'Grant'
  | 'BackchannelAuthenticationRequest'
  | 'PreAuthorizedCode'

/** What the provider hands to an adapter: JSON, as it was and as it must come back. */
export type Payload = Readonly<Record<string, unknown>>

/** Models that are issued under a grant, and go when it is revoked. Grant itself is destroyed by a call of its own. */
const GRANTABLE: ReadonlySet<string> = new Set<ModelName>([
  'AccessToken',
  'AuthorizationCode',
  'RefreshToken',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
  'PreAuthorizedCode',
])

/** Models that are used once: what a race for them must not give away twice. */
const CONSUMABLE: ReadonlySet<string> = new Set<ModelName>([
  'AuthorizationCode',
  'RefreshToken',
  'DeviceCode',
  'BackchannelAuthenticationRequest',
  'PreAuthorizedCode',
  'PushedAuthorizationRequest',
])

/** Models whose streams grow with use, so that only their newest commits are read. */
const LONG: ReadonlySet<string> = new Set<ModelName>(['Session', 'Client'])

export const grantableModels: readonly string[] = [...GRANTABLE]
export const isGrantable = (model: string): boolean => GRANTABLE.has(model)
export const isConsumable = (model: string): boolean => CONSUMABLE.has(model)
export const isLong = (model: string): boolean => LONG.has(model)

/**
 * Whether the provider makes the model's ids. Such an id never comes back once it is gone, so that a late save undoes
 * nothing. Client ids are given by people, who may register one again.
 */
export const hasMadeIds = (model: string): boolean => model !== 'Client'

/**
 * Whether the model belongs to all issuers of a log. Client ids are given by people, and a client that registered is
 * known to all, as those of the configuration may be; a proof that was shown is spent wherever it is shown again.
 */
export const isShared = (model: string): boolean => model === 'Client' || model === 'ReplayDetection'
