/** One valid logout token, as a replay store sees it. Times are seconds since the epoch. */
export interface ReplayEntry {
  readonly issuer: string
  readonly jti: string
  /** The time by the verifier's clock. The store uses it in place of its own. */
  readonly now: number
  /** From this time on every verifier refuses the token, and the store may delete it. */
  readonly expiresAt: number
}

/**
 * The result of an attempt to reserve a token.
 *
 * - `reserved`: the caller holds the token, and ends with `commit` (the logout succeeded: the token is used) or `release`
 *   (it failed: the same token may be sent again). Both must be safe to call after the reservation has expired, and must
 *   then change nothing that belongs to a later holder.
 * - `in_progress`: another caller holds the token.
 * - `used`: the token was committed before.
 */
export type ReplayReservation =
  | { readonly outcome: 'reserved'; commit(): Promise<void>; release(): Promise<void> }
  | { readonly outcome: 'in_progress' }
  | { readonly outcome: 'used' }

/**
 * Stores which logout tokens were used: Back-Channel Logout 1.0 section 2.6, step 8.
 *
 * A token counts as used after a logout that succeeded, not when it arrives: an RP that answers 503 must accept the same
 * token again. Hence there are two steps. The first is atomic: of any number of concurrent `reserve` calls for one issuer
 * and jti, exactly one gets `reserved`. A reservation whose holder crashed expires after a lease that the store chooses.
 * A rejection means that the store is unavailable: the request is answered with 503.
 */
export interface LogoutTokenReplayStore {
  reserve(entry: ReplayEntry): Promise<ReplayReservation>
}
