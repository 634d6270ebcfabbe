/** The member of `events` that makes a JWT a logout token: Back-Channel Logout 1.0 section 2.4. */
export const LOGOUT_EVENT = 'http://schemas.openid.net/event/backchannel-logout'

/** A logout token that passed every check: Back-Channel Logout 1.0 section 2.4. */
export interface LogoutToken {
  readonly issuer: string
  /** All audiences of the token; one of them at least is the RP's. */
  readonly audience: readonly string[]
  /** The user, as in the ID tokens of this RP (pairwise included). */
  readonly sub?: string
  /** The session, as in the ID token of that login. Without it all sessions of `sub` are to end. */
  readonly sid?: string
  readonly jti: string
  /** Seconds since the epoch. */
  readonly issuedAt: number
  /** Seconds since the epoch. For a token without `exp`, which `requireExpiry: false` accepts: `iat` and `maxAgeSeconds`. */
  readonly expiresAt: number
  /** Everything in the token, unknown claims included, which section 2.4 tells to ignore. */
  readonly claims: Readonly<Record<string, unknown>>
}
