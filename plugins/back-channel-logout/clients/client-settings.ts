import type { ClientDeliveryOptions } from '../delivery/delivery-policy.ts'

/** What a client says of back-channel logout, where it is kept, and how it is tried. */
export interface ClientSettings {
  readonly clientId: string
  /**
   * `configuration`: it is one of the provider's configuration, and is changed there. `stored`: it is in the adapter of the
   * clients. `elsewhere`: the provider knows it from its metadata document. `unreadable`: its stored metadata is invalid, or
   * cannot be opened.
   */
  readonly source: 'configuration' | 'stored' | 'elsewhere' | 'unreadable'
  /** Its name, where it has one. */
  readonly clientName?: string
  readonly metadata: LogoutMetadata
  /** Why it is not told. Absent: it is. */
  readonly problem?: string
  /** Whether its RP may be inside the operators' own network. */
  readonly isInside: boolean
  /** How deliveries to it are tried: set where the plugin is made. */
  readonly delivery: Required<ClientDeliveryOptions>
  /** Of a stored client: changes with its metadata. What was shown is changed by naming it. */
  readonly version?: string
}

/** The members of a client's metadata that are about back-channel logout. Absent: the client has no such member. */
export interface LogoutMetadata {
  /** Back-Channel Logout 1.0 section 2.2. */
  readonly backchannel_logout_uri?: string
  readonly backchannel_logout_session_required?: boolean
  /** The reasons for which it wants to be told; absent: all. */
  readonly backchannel_logout_initiators?: readonly string[]
  /** It is not told without a `sid` once the user has logged in there again. */
  readonly backchannel_logout_skip_superseded?: boolean
  /** It goes by the `sub` of a logout token, though there is a `sid`. */
  readonly backchannel_logout_goes_by_sub?: boolean
}
