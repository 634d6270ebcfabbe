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
  /** When it was used, or destroyed, milliseconds since 1970; up to a day later it may have been used again. */
  readonly usedAt: number
}

/** That a key is used is noted so often, in milliseconds. */
const NOTED_EVERY_MS = 24 * 3_600_000

/** A key that is made where an account has none. */
export interface NewAccountKey {
  readonly id: string
  readonly sealed: string
  readonly account: string
  /** Now, milliseconds since 1970. */
  readonly usedAt: number
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
  /** Those that these names find, or have found until they were retired; destroyed ones too. */
  named(names: readonly string[]): Promise<AccountKeyRecord[]>
  /**
   * The key of the account that one of these names finds. Where there is none it is `make`. It is found by all of the names
   * from then on. Processes that ask at the same moment may make one each; all get the same from then on,
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
   * Seals a key otherwise, and has it found by these names instead; one that is retired was found by them.
   *
   * @returns false: it is not as in `from` any more, and nothing has changed
   */
  reseal(from: AccountKeyRecord, to: { readonly sealed: string; readonly names: readonly string[] }): Promise<boolean>
  /** Those that were used last, or destroyed, before then; the oldest first. */
  unused(options: { readonly before: number; readonly limit: number }): Promise<AccountKeyRecord[]>
  /** Notes that these are in use. */
  touch(ids: readonly string[], at: number): Promise<void>
  /** Removes the records of those of these that were used last, or destroyed, before then. Returns how many. */
  remove(ids: readonly string[], before: number): Promise<number>
}

/** Whether `obtain` has nothing to write: the names find it, and that it is used was noted. */
export function isAsWanted(
  { names: found, usedAt }: Pick<AccountKeyRecord, 'names' | 'usedAt'>,
  names: readonly string[],
  make: NewAccountKey,
): boolean {
  return make.usedAt - usedAt < NOTED_EVERY_MS && names.every((name) => found.includes(name))
}
