import { OptionInvalidError } from '../../lib/index.ts'
import { assertKnownOptions } from '../../lib/known-options.ts'
import type { DeliveryOptions } from './delivery/delivery-policy.ts'
import type { InternalClientRule } from './network/internal-clients.ts'
import type { Network } from './network/network.ts'
import type { SingleSessionSource } from './single-session/page.ts'

/** How back-channel logout is set up. All optional. */
export interface BackChannelLogoutOptions {
  /**
   * Whether it is on where no operator has set the feature `back_channel_logout`. Off: nothing is registered, nothing is
   * sent, discovery does not announce it, and what is pending waits. Default: true.
   */
  readonly enabled?: boolean
  /**
   * Whether the end of a single session by `id_token_hint` is on where no operator has set the feature
   * `single_session_termination`. Default: false.
   */
  readonly singleSessionTermination?: boolean
  /**
   * Renders the page on which a user confirms the end of a session that is not the browser's own, as oidc-provider's
   * `logoutSource` does for the browser's own. It must not post the form by itself.
   */
  readonly singleSessionSource?: SingleSessionSource
  /** How deliveries are tried. */
  readonly delivery?: DeliveryOptions
  /**
   * Client ids of RPs inside your own network, whose addresses would be refused otherwise. `network` of the plugin allows
   * more of them, and fewer, at run time.
   *
   * Or a function that is asked with the client (of oidc-provider, as it is at that delivery), for clients that register
   * themselves in a network where all of them are inside, such as a staging network. It answers at once, with true or
   * false; when it throws, the client counts as one outside, and the log says so. What it looks at must not be metadata
   * that a client can set for itself: anybody who may register could have requests sent into your network.
   */
  readonly allowInternal?: readonly string[] | InternalClientRule
  /**
   * Client ids that may leave out the operators' reasons (`admin`, `account_disabled`, `account_deleted`,
   * `password_changed`, `signed_out_everywhere`) in their `backchannel_logout_initiators`. All others are told of these
   * whatever their metadata says, which a client can set for itself. Default: none.
   */
  readonly mayFilterOperators?: readonly string[]
  /** Allows `http` URIs on loopback addresses. For development only. Default: false. */
  readonly development?: boolean
  /** Replaces the guarded network, and its protection: for a deployment's own egress. */
  readonly network?: Network
}

const OPTIONS: ReadonlySet<string> = new Set([
  'enabled',
  'singleSessionTermination',
  'singleSessionSource',
  'delivery',
  'allowInternal',
  'mayFilterOperators',
  'development',
  'network',
])

/** @throws OptionInvalidError (`OPTION_INVALID`) */
export function assertOptions(options: BackChannelLogoutOptions): void {
  assertKnownOptions(options, OPTIONS)
  const { network } = options
  for (const option of ['enabled', 'singleSessionTermination', 'development'] as const) {
    if (options[option] !== undefined && typeof options[option] !== 'boolean')
      throw new OptionInvalidError(option, 'must be true or false')
  }
  const { allowInternal, mayFilterOperators } = options
  if (allowInternal !== undefined && typeof allowInternal !== 'function' && !isClientIds(allowInternal)) {
    throw new OptionInvalidError(
      'allowInternal',
      'must be an array of client ids, or a function that is asked with each client',
    )
  }
  if (mayFilterOperators !== undefined && !isClientIds(mayFilterOperators)) {
    throw new OptionInvalidError('mayFilterOperators', 'must be an array of client ids')
  }
  const { singleSessionSource } = options
  if (singleSessionSource !== undefined && typeof singleSessionSource !== 'function')
    throw new OptionInvalidError('singleSessionSource', 'must be a function (ctx, form) that sets ctx.body')
  if (network !== undefined && (typeof network?.post !== 'function' || typeof network.close !== 'function'))
    throw new OptionInvalidError('network', 'must have the methods `post` and `close`')
}

function isClientIds(ids: unknown): boolean {
  return Array.isArray(ids) && ids.every((id) => typeof id === 'string')
}
