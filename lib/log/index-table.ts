/** Something that is found by keys, as a commit makes it. */
export interface NewIndexEntry {
  readonly id: string
  /** What it is found by. */
  readonly keys: readonly string[]
  /** The position of the commit. */
  readonly position: number
  /** When it need not be found any more, milliseconds since 1970; absent: it stays until it is removed. */
  readonly expiresAt?: number
}

/** An entry as it stands: `position` is that of the last commit that made it. */
export interface IndexEntry extends NewIndexEntry {
  /** The position of the first commit that made it. */
  readonly first: number
}

/** Where an entry stands in a list: it stays there, however often it is made again. */
export type IndexPlace = Pick<IndexEntry, 'first' | 'id'>

/**
 * An index that a consumer of the log keeps, and that can be made again from the log: for what is alive, where the log
 * itself would have to be read through all that ever was. Commits may be handled twice, and by a holder that is late: an
 * entry goes by the newest commit that it has seen, in whatever order they come.
 */
export interface IndexTable {
  /** Adds entries, or moves them on: keys are added, `position` and `expiresAt` never go back. */
  put(entries: readonly NewIndexEntry[]): Promise<void>
  /** Removes entries, but for those that were made from a later commit than this. */
  remove(entries: readonly Pick<IndexEntry, 'id' | 'position'>[]): Promise<void>
  /** The entries under a key, those that were made last for the first time first. */
  list(options: { readonly key: string; readonly after?: IndexPlace; readonly limit: number }): Promise<IndexEntry[]>
  /** Removes what has expired by then, milliseconds since 1970; a bounded part of it. Returns how many entries went. */
  sweep(expiredBefore: number): Promise<number>
}
