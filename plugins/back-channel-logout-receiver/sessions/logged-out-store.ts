/** One stored logout. Times are seconds since the epoch. */
export interface LoggedOutEntry {
  /** A digest (43 characters of base64url), which reveals neither user nor session. */
  readonly key: string
  /** When the logout happened, by the OP's clock. */
  readonly loggedOutAt: number
  /** From this time on no session is left that this entry could end, and the store may delete it. */
  readonly expiresAt: number
  /** The current time by the RP's clock, on which `expiresAt` is based. */
  readonly now: number
}

/**
 * Stores which sessions were logged out, for all processes of an RP.
 *
 * `remember` resolves when every process sees the entries. Of entries with the same key, the latest `loggedOutAt` and the
 * latest `expiresAt` are kept, independent of their order: a logout that is delivered late must not undo a newer one.
 * `recall` returns the `loggedOutAt` of each key, in the order of the keys, and undefined for unknown ones. An entry that
 * is kept too long does no harm; one that is lost makes a session valid again.
 *
 * Both reject when the store is unavailable. Then a logout is answered with 503, and a request whose session was to be
 * checked fails: an unavailable store must not make anybody count as logged in.
 */
export interface LoggedOutStore {
  remember(entries: readonly LoggedOutEntry[]): Promise<void>
  recall(keys: readonly string[]): Promise<readonly (number | undefined)[]>
}
