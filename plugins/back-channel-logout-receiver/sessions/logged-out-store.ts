/** One logout that is remembered. Times are seconds since the epoch. */
export interface LoggedOutEntry {
  /** A digest (43 characters of base64url): it gives away neither user nor session. */
  readonly key: string
  /** When the logout happened, by the OP's clock. */
  readonly loggedOutAt: number
  /** From this moment on no session is left that this entry could end, and the store may forget it. */
  readonly expiresAt: number
  /** The RP's clock, by which `expiresAt` is reckoned. */
  readonly now: number
}

/**
 * Remembers which sessions were logged out, for all processes of an RP.
 *
 * `remember` resolves once every process sees the entries. Of entries with one key the latest `loggedOutAt` stands, and
 * the latest `expiresAt`, in whatever order they come: a logout that is delivered late must not undo a newer one.
 * `recall` gives the `loggedOutAt` of each key, in the order of the keys, and undefined where nothing is remembered. An
 * entry that is kept for too long ends nothing that should live; one that is lost brings a session back.
 *
 * Both reject when the store cannot be reached. Then a logout is answered with 503, and the request whose session was
 * to be checked fails: nobody passes for logged in because a store is down.
 */
export interface LoggedOutStore {
  remember(entries: readonly LoggedOutEntry[]): Promise<void>
  recall(keys: readonly string[]): Promise<readonly (number | undefined)[]>
}
