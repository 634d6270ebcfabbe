import type { Features } from 'oidc-provider-eventstore'
import type { BackChannelLogout } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { Fields } from './fields.ts'

/** What the routes ask and change. */
export interface Asked {
  readonly logout: BackChannelLogout
  readonly features: Features
  /**
   * So long a request waits until all has ended that it ends, in milliseconds; it ends also when nobody waits. Default:
   * 5,000.
   */
  readonly patienceMs?: number
}

/** A request that may be answered. */
export interface ApiRequest extends Asked {
  /** The operator: recorded with everything that changes. */
  readonly actor: string
  /** The query of a GET, the JSON object of everything else. */
  readonly fields: Fields
}

/** An answer: JSON, and its status where that is not 200. */
export interface ApiAnswer {
  readonly status?: number
  readonly body: object
}

export type Handler = (request: ApiRequest) => Promise<ApiAnswer>
