import { type ProviderAdapter, type ProviderLike, ProviderUnfitError, type RequestContext } from '../../lib/index.ts'

/** What this plugin uses of a client of oidc-provider. */
export interface OidcClient {
  readonly clientId: string
  readonly backchannelLogoutUri?: string
  readonly backchannelLogoutSessionRequired?: boolean
  readonly sectorIdentifier?: string
  /** Whether it may have the user sent there after a logout. */
  readonly postLogoutRedirectUriAllowed?: (uri: string) => boolean
  /** Whether its ID tokens carry `sid` without being asked. */
  includeSid(): boolean
  /** Extra metadata, under the name it was registered with. */
  readonly [metadata: string]: unknown
}

/** oidc-provider's `IdToken`; `mask` is missing in its types. */
export interface IdToken {
  mask: Readonly<Record<string, null>>
  set(claim: string, value: unknown): void
  payload: () => Promise<Readonly<Record<string, unknown>>>
  issue(options: { readonly use: 'logout' }): Promise<string>
}

/** What this plugin uses of a provider: some of it is not in oidc-provider's types, so it is looked for at start. */
export interface OidcProvider extends ProviderLike {
  readonly IdToken: {
    new (claims: { readonly sub: string }, options: { readonly client: OidcClient; readonly ctx: undefined }): IdToken
    /** Verifies an ID token of the client, an expired one too. */
    validate(jwt: string, client: OidcClient): Promise<{ readonly payload: Readonly<Record<string, unknown>> }>
  }
  readonly OIDCContext: new (ctx: RequestContext) => { urlFor(route: string): string }
  emit: (event: string, ...args: readonly unknown[]) => boolean
  pathFor(route: string, options: { readonly mountPath: string }): string
  readonly Session: {
    get(ctx: RequestContext): Promise<{ readonly state?: { readonly secret?: string } }>
  }
  readonly Client: {
    find: (id: string) => Promise<OidcClient | undefined>
    readonly prototype: { backchannelLogout?: (sub: string, sid: string) => Promise<void> }
    /** Rejects where a client's metadata is not valid. */
    validate?(metadata: object): Promise<void>
    readonly adapter?: ProviderAdapter
    /** Checks a client's metadata, and leaves out what no feature knows. */
    readonly Schema?: new (
      metadata: object,
      ctx: undefined,
      isCustomMetadataChecked: false,
    ) => object
  }
}

/**
 * The provider as this plugin needs it.
 *
 * @throws ProviderUnfitError (`PROVIDER_UNFIT`) when this version of oidc-provider works in another way, or its feature
 *   is off
 */
export function internalsOf(provider: ProviderLike): OidcProvider {
  const { IdToken, Client, Session, OIDCContext, pathFor, emit } = provider as Partial<OidcProvider>
  const missing = [
    typeof IdToken?.prototype?.set === 'function' ? undefined : 'IdToken#set',
    typeof IdToken?.prototype?.issue === 'function' ? undefined : 'IdToken#issue',
    typeof Client?.prototype.backchannelLogout === 'function' ? undefined : 'Client#backchannelLogout',
    typeof IdToken?.prototype?.payload === 'function' ? undefined : 'IdToken#payload',
    typeof IdToken?.validate === 'function' ? undefined : 'IdToken.validate',
    typeof OIDCContext === 'function' ? undefined : 'OIDCContext',
    typeof pathFor === 'function' ? undefined : 'pathFor',
    typeof emit === 'function' ? undefined : 'emit',
    typeof Session?.get === 'function' ? undefined : 'Session.get',
    typeof Client?.find === 'function' ? undefined : 'Client.find',
  ].filter((name) => name !== undefined)
  if (missing.length > 0) {
    throw new ProviderUnfitError(
      `this version of oidc-provider has no ${missing.join(', ')}: use 9.10 or later, below 10`,
    )
  }
  if (isFeatureOff(Client)) {
    throw new ProviderUnfitError(
      'features.backchannelLogout of this provider is off: give all of the configuration to configure(), and what that ' +
        'returns to the provider, unchanged: { ...op.configure(configuration), features } replaces what the plugin has set',
    )
  }
  return provider as OidcProvider
}

/**
 * Whether a client would lose a member that only the feature knows. False also where that cannot be told: some
 * configurations refuse the client that is tried.
 */
function isFeatureOff(Client: OidcProvider['Client'] | undefined): boolean {
  const metadata = {
    client_id: 'none',
    redirect_uris: [],
    response_types: [],
    grant_types: [],
    token_endpoint_auth_method: 'none',
    backchannel_logout_session_required: true,
  }
  try {
    return (
      Client?.Schema !== undefined &&
      !('backchannel_logout_session_required' in new Client.Schema(metadata, undefined, false))
    )
  } catch {
    return false
  }
}
