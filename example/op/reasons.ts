import type { Reason } from 'oidc-provider-eventstore/plugins/back-channel-logout'

/** Why sessions end, in words; the log has the codes. */
export const REASONS: Readonly<Record<Reason, string>> = {
  rp_initiated: 'The user logged out',
  account_switched: 'Another account logged in',
  single_session: 'One session was ended by its ID token',
  session_expired: 'The session expired',
  authorization_removed: 'A login was removed from the session',
  admin: 'An operator ended it',
  account_disabled: 'The account was disabled',
  account_deleted: 'The account was deleted',
  password_changed: 'The password was changed',
  signed_out_everywhere: 'The user signed out everywhere',
  session_destroyed: 'The application ended it',
}
