import type { TerminationReason } from 'oidc-provider-eventstore/plugins/back-channel-logout'

/** The reasons for which sessions of an account, or all, may be ended. */
export const REASONS: readonly TerminationReason[] = [
  'admin',
  'account_disabled',
  'account_deleted',
  'password_changed',
  'signed_out_everywhere',
]
