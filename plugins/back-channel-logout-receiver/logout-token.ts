/** The member of `events` that makes a JWT a logout token: Back-Channel Logout 1.0 section 2.4. */
export const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/** A valid logout token: Back-Channel Logout 1.0 section 2.4. */
export interface LogoutToken {
  readonly issuer: string
  /** All audiences of the token, at least one of them the RP's. */
  readonly audience: readonly string[]
  /** The user, as in the ID tokens of this RP (pairwise included). */
  readonly sub?: string
  /** The session, as in the ID token of that login. Without it the logout is for all sessions of `sub`. */
  readonly sid?: string
  readonly jti: string
  /** Seconds since the epoch. */
  readonly issuedAt: number
  /** Seconds since the epoch. For a token without `exp` (`requireExpiry: false`): `iat` plus `maxAgeSeconds`. */
  readonly expiresAt: number
  /** All claims of the token, including unknown ones, which section 2.4 says to ignore. */
  readonly claims: Readonly<Record<string, unknown>>
}
