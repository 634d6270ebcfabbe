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

/** Models that are issued under a grant. Grant itself is destroyed by a call of its own. */
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

/** Models whose ids only the provider makes: such an id comes back only where an application brings it back. */
const MADE_IDS: ReadonlySet<string> = new Set<ModelName>([
  'Session',
  'AccessToken',
  'AuthorizationCode',
  'RefreshToken',
  'DeviceCode',
  'ClientCredentials',
  'InitialAccessToken',
  'RegistrationAccessToken',
  'Interaction',
  'ReplayDetection',
  'PushedAuthorizationRequest',
  'BackchannelAuthenticationRequest',
  'PreAuthorizedCode',
])

export const grantableModels: readonly string[] = [...GRANTABLE]
export const isGrantable = (model: string): boolean => GRANTABLE.has(model)
export const isConsumable = (model: string): boolean => CONSUMABLE.has(model)

/**
 * Whether applications and people choose the model's ids: grants, clients, and models of an application's own. Such an id
 * may be stored again after its end, and its stream may grow for years.
 */
export const hasGivenIds = (model: string): boolean => !MADE_IDS.has(model)

/**
 * Whether the model belongs to all issuers of a log. Client ids are given by people, and a client that registered is
 * known to all, as those of the configuration may be; a proof that was shown is spent wherever it is shown again.
 */
export const isShared = (model: string): boolean => model === 'Client' || model === 'ReplayDetection'
