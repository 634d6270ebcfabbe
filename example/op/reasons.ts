import type { Reason, SessionLogoutEvent } from 'oidc-provider-eventstore/plugins/back-channel-logout'

/** Why sessions end, in words; the log has the codes. */
export const REASONS: Readonly<Record<Reason, string>> = {
  rp_initiated: 'The user logged out',
  account_switched: 'Another account logged in',
  single_session: 'The user ended this session',
  session_expired: 'The session expired',
  authorization_removed: 'A login was removed from the session',
  admin: 'An operator ended it',
  account_disabled: 'The account was disabled',
  account_deleted: 'The account was deleted',
  password_changed: 'The password was changed',
  signed_out_everywhere: 'The user signed out everywhere',
  session_destroyed: 'The application ended it',
}

type Unsent<Type extends string> = Extract<SessionLogoutEvent, { type: `session_logout.back_channel.${Type}` }>

type GivenUp = Unsent<'abandoned'>['failure_reason'] | Unsent<'superseded'>['superseded_by']

/** Why nobody tries to tell an RP any more, in words; the log has the codes. */
export const GIVEN_UP: Readonly<Record<GivenUp, string>> = {
  budget_spent: 'all attempts failed',
  expired: 'it could not be told in time',
  client_deleted: 'its client was deleted',
  no_uri: 'its client has no back-channel logout URI any more',
  account_forgotten: 'its account was forgotten',
  newer_login: 'it would have ended a newer login',
}
