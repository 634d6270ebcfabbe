import type { PendingCount } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { Clock } from '../../../lib/index.ts'
import type { Fields } from '../../../lib/web/fields.ts'
import type { LiveFeed } from '../live/live-feed.ts'
import type { Operations } from '../operations/operations.ts'
import type { AdminConsoleOptions, Operator } from '../options.ts'
import type { Overview } from './contract.ts'
import type { Exports } from './exports.ts'
import type { SessionCount } from './session-count.ts'
import type { Shared } from './shared.ts'

/** What routes work with. */
export interface RouteParts
  extends Pick<AdminConsoleOptions<never>, 'op' | 'logout' | 'store' | 'signOutUrl' | 'clients'> {
  readonly clock: Clock
  readonly operations: Operations
  readonly live: LiveFeed
  readonly exports: Exports
  readonly sessionCount: SessionCount
  /** What costs a look at everything that is owed. */
  readonly overview: Shared<Overview>
  readonly pendingByClient: Shared<readonly PendingCount[]>
  /** Names this process. */
  readonly process: string
}

/** A request that may be answered. */
export interface Call extends RouteParts {
  readonly operator: Operator
  /** The query of a GET, the JSON object of everything else. */
  readonly fields: Fields
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** JSON, as it is told; with a status where that is not 200; or an answer that is none. */
export type Answer = { readonly status?: number; readonly body: object } | Response

export interface Route {
  /** Who may call it: a viewer changes nothing. */
  readonly role: Operator['role']
  readonly handle: (call: Call) => Answer | Promise<Answer>
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
