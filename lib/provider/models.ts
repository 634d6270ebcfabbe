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

/** The account that a state belongs to, as far as it says. */
export function accountIn(model: string, payload: Payload): string | undefined {
  const { result, session } = payload as {
    result?: { login?: { accountId?: unknown } }
    session?: { accountId?: unknown }
  }
  const found = model === 'Interaction' ? (result?.login?.accountId ?? session?.accountId) : payload['accountId']
  return typeof found === 'string' && found !== '' ? found : undefined
}

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

/** Models that only requests of the provider write: no page of the application, no script that prepares something. */
const WRITTEN_BY_REQUESTS: ReadonlySet<string> = new Set<ModelName>([
  'Session',
  'AccessToken',
  'AuthorizationCode',
  'RefreshToken',
  'DeviceCode',
  'ClientCredentials',
  'ReplayDetection',
  'PushedAuthorizationRequest',
])

/** All of them. */
export const MODELS: readonly string[] = [...MADE_IDS, 'Client', 'Grant']

/**
 * Whether a model may have this name. Its streams begin with it, and those of everything else with a lower-case letter: a
 * model `account` would be found among the accounts.
 */
export const isModelName = (model: string): boolean => /^\p{Lu}[\p{L}\p{N}_$]*$/u.test(model)

/** Models that another adapter may serve: nothing that a request commits depends on them. */
const MAY_BE_ELSEWHERE: ReadonlySet<string> = new Set<ModelName>([
  'Client',
  'InitialAccessToken',
  'RegistrationAccessToken',
])

/**
 * Whether only a request of the provider writes this. An interaction it begins; its result is stored by the application's
 * own pages, which may run in another process than the provider.
 */
export const isWrittenByRequests = (model: string, payload: Payload | undefined): boolean =>
  WRITTEN_BY_REQUESTS.has(model) || (model === 'Interaction' && payload !== undefined && !payload['result'])
/** The provider's own models that the log must hold. Those of an application it need not. */
export const mustBeOnTheLog = (model: string): boolean => MODELS.includes(model) && !MAY_BE_ELSEWHERE.has(model)
export const grantableModels: readonly string[] = [...GRANTABLE]
export const isGrantable = (model: string): boolean => GRANTABLE.has(model)
export const isConsumable = (model: string): boolean => CONSUMABLE.has(model)

/**
 * Whether applications and people choose the model's ids: grants, clients, and models of an application's own. Such an id
 * may be stored again after its end, and its stream may grow for years.
 */
export const hasGivenIds = (model: string): boolean => !MADE_IDS.has(model)

/**
 * Whether one commit only may follow each state of the model, so that what one process changes another does not undo. A
 * client is written as a whole by whoever changes a part of it.
 */
export const hasLinearStates = (model: string): boolean => model === 'Client'

/**
 * Whether the model belongs to all issuers of a log. Client ids are given by people, and a client that registered is
 * known to all, as those of the configuration may be; a proof that was shown is spent wherever it is shown again.
 */
export const isShared = (model: string): boolean => model === 'Client' || model === 'ReplayDetection'
