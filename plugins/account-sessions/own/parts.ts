import type { BackChannelLogout } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { Host } from '../../../lib/index.ts'

/** What an account's own sessions and apps are read and ended with. */
export interface OwnParts {
  readonly host: Pick<Host, 'store' | 'provider' | 'clock' | 'terminator'>
  readonly logout: BackChannelLogout
  /** Clients that are the application's own, and are not shown. */
  readonly hidden: ReadonlySet<string>
}
