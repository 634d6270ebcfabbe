import type { JsonObject } from './commit.ts'

/** What the last run of retention left, and how often it was written. */
export interface RetentionState {
  /** Raised by each write: who writes over a revision that is not the newest changes nothing. */
  readonly revision: number
  readonly state: JsonObject
}

/** What is to go. */
export interface Removal {
  /** Positions of commits, ascending. They go in this order, whatever interrupts it: the first is gone before the last. */
  readonly positions: readonly number[]
  /** Tombstones from the first of these positions to the last go as well. Absent: none. */
  readonly tombstones?: { readonly from: number; readonly to: number }
}

/**
 * What retention needs of a store. It decides nothing: whoever removes has judged each commit, and knows that nobody can
 * append at or below its position any more.
 */
export interface RetentionTable {
  /** The store's time, milliseconds since 1970: one clock for all processes. */
  time(): Promise<number>
  /** Positions at or below it may have been removed: who follows the log does not wait for what is missing there. */
  floor(): Promise<number>
  /**
   * Removes commits for good. Before the first one goes the floor is raised to the highest position, by a majority. Doing
   * it twice does no harm.
   *
   * @throws StoreUnavailableError (`STORE_UNAVAILABLE`): some of them may have gone
   */
  remove(removal: Removal): Promise<void>
  /** What was written last; undefined before the first time. */
  state(): Promise<RetentionState | undefined>
  /** Writes it, if `revision` is that of the newest (0: there is none). False: somebody else has written. */
  save(revision: number, state: JsonObject): Promise<boolean>
}
