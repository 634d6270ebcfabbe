/** The key of an account, as it is stored. */
export interface AccountKeyRecord {
  readonly id: string
  /** What the account is found by. None: nothing more is sealed with the key. */
  readonly names: readonly string[]
  /** What it was found by until it was retired. */
  readonly formerNames?: readonly string[]
  /** The key, sealed. Absent: it was destroyed. */
  readonly sealed?: string
  /** Whose it is, sealed with the key itself. */
  readonly account?: string
  /** When it was destroyed, milliseconds since 1970. */
  readonly destroyedAt?: number
  /** Since when nothing was found that is sealed with it, milliseconds since 1970. */
  readonly idleSince?: number
}

/** A key that is made where an account has none. */
export interface NewAccountKey {
  readonly id: string
  readonly sealed: string
  readonly account: string
}

/**
 * The keys of accounts. They lie beside the log, since they can be destroyed: what they have sealed is in the log for as
 * long as it is kept, and nobody can open it any more. Whatever a method has done is durable when it resolves.
 *
 * Every method rejects as those of `EventStore` do.
 */
export interface AccountKeyTable {
  /** Those of these ids that are there, in any order. */
  find(ids: readonly string[]): Promise<AccountKeyRecord[]>
  /**
   * The key of the account that one of these names finds. Where there is none it is `make`. It is found by all of the names
   * from then on, and is not idle. Processes that ask at the same moment may make one each; all get the same from then on,
   * and `retire` finds all.
   */
  obtain(names: readonly string[], make: NewAccountKey): Promise<AccountKeyRecord>
  /**
   * From now on these names find no key: the next `obtain` makes another one. What was sealed can still be opened.
   *
   * @returns the keys that were found by them, until now or until an earlier call, destroyed ones too
   */
  retire(names: readonly string[]): Promise<AccountKeyRecord[]>
  /** Destroys keys, for good. The record stays, and says since when. */
  destroy(ids: readonly string[], at: number): Promise<void>
  /** All of them, in the order of their ids, behind `after`. */
  list(options: { readonly after?: string; readonly limit: number }): Promise<AccountKeyRecord[]>
  /**
   * Seals a key otherwise, and has it found by further names.
   *
   * @returns false: it is not sealed as in `from` any more, and nothing has changed
   */
  reseal(from: AccountKeyRecord, to: { readonly sealed: string; readonly names: readonly string[] }): Promise<boolean>
  /** Notes that nothing is sealed with these, if that is not noted yet. */
  markIdle(ids: readonly string[], at: number): Promise<void>
  /** Removes the records of these that are idle since before then, or were destroyed before. Returns how many. */
  remove(ids: readonly string[], before: number): Promise<number>
}
