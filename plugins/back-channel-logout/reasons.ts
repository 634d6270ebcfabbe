/** Why a session ended, as a client may filter on it. */
export type Reason =
  | 'rp_initiated'
  | 'account_switched'
  | 'single_session'
  | 'session_expired'
  | 'authorization_removed'
  | 'admin'
  | 'account_disabled'
  | 'account_deleted'
  | 'password_changed'
  | 'signed_out_everywhere'
  | 'session_destroyed'

export const REASONS: readonly Reason[] = [
  'rp_initiated',
  'account_switched',
  'single_session',
  'session_expired',
  'authorization_removed',
  'admin',
  'account_disabled',
  'account_deleted',
  'password_changed',
  'signed_out_everywhere',
  'session_destroyed',
]
