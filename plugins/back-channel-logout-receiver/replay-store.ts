/** One accepted logout token, as a replay store sees it. Times are seconds since the epoch. */
export interface ReplayEntry {
  readonly issuer: string
  readonly jti: string
  /** The verifier's clock, so that store and verifier never disagree about the time. */
  readonly now: number
  /** From this moment on no verifier takes the token any more, and the store may forget it. */
  readonly expiresAt: number
}

/**
 * What became of an attempt to reserve a token.
 *
 * - `reserved`: nobody else holds it. End with `commit` (the logout is done: the token is used up) or `release` (it
 *   failed: the same token may come again). Both must be safe to call after the reservation has lapsed, and must then
 *   change nothing that belongs to a later holder.
 * - `in_progress`: someone else holds it and has not ended yet.
 * - `used`: it was committed before.
 */
export type ReplayReservation =
  | { readonly outcome: 'reserved'; commit(): Promise<void>; release(): Promise<void> }
  | { readonly outcome: 'in_progress' }
  | { readonly outcome: 'used' }

/**
 * Remembers which logout tokens were used: Back-Channel Logout 1.0 section 2.6, step 8.
 *
 * A token is used up by a logout that succeeded, not by being seen: an RP that answers 503 must take the very same
 * token again. Hence two steps, of which the first is atomic: of any number of concurrent `reserve` calls for one
 * issuer and jti, exactly one is told `reserved`. A reservation whose holder died lapses after a lease that the store
 * chooses. Any rejection is taken as "the store cannot be reached": the request is answered with 503.
 */
export interface LogoutTokenReplayStore {
  reserve(entry: ReplayEntry): Promise<ReplayReservation>
}
