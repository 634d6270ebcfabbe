import type { JsonObject } from './commit.ts'

/** A piece of work to put into the table. */
export interface NewWork {
  /** Derived from the log, so that making it twice makes it once. */
  readonly id: string
  /** Work of one lane shares a limit and a fate: one RP, say. */
  readonly lane: string
  /** When it may be done, milliseconds since 1970 by the table's clock: see `time()`. */
  readonly dueAt: number
  /** When it is too old to be done, by the same clock. Absent: never. */
  readonly deadline?: number
  /** Since when somebody waits for it, milliseconds since 1970 by the clock of the log. `busiest` tells the earliest. */
  readonly since?: number
  readonly body: JsonObject
}

/** A piece of work as it stands. */
export interface Work extends NewWork {
  /** Who is at it now. */
  readonly holder?: string
  /** Raised at each claim and each take-over: what a former holder writes changes nothing. */
  readonly fence: number
  /** Set when there is nothing left to do; the row is kept for a while so that a late planner cannot make it again. */
  readonly doneAt?: number
}

/** How much is open in a lane. */
export interface LaneCount {
  readonly lane: string
  readonly open: number
  /** The earliest `since` of what is open. Absent: none of it has one. */
  readonly oldest?: number
}

/** Which lanes to count. */
export interface BusiestOptions {
  /** Only lanes whose name begins so. Default: all. */
  readonly prefix?: string
  /** Only these lanes. Default: all. */
  readonly lanes?: readonly string[]
  /** At most so many. */
  readonly limit: number
}

/** Which lanes `nextDueAt` leaves out. */
export interface NextDueOptions {
  /** These: nobody is to claim from them. */
  readonly except?: readonly string[]
  /** Those in which something is due at this time or before. */
  readonly after?: number
}

/** Which overdue work `claimOverdue` takes. */
export type OverdueOptions = Pick<ClaimOptions, 'holder' | 'prefix' | 'now' | 'limit'>

/** How far a change of many rows goes, and how it is followed. */
export interface HastenOptions {
  /** Ends it between two pages of rows: what was changed until then stays so. */
  readonly signal?: AbortSignal
  /** Called after each page of rows, with how many have changed so far. The call rejects with what it throws. */
  readonly onProgress?: (hastened: number) => void
}

/** Which part of the open work to list. */
export interface OpenWorkOptions {
  /** Only lanes whose name begins so. Default: all. */
  readonly prefix?: string
  /** Only this lane. */
  readonly lane?: string
  /** The last row of the page before. Default: the list begins. */
  readonly after?: Pick<Work, 'lane' | 'dueAt' | 'id'>
  /** At most so many rows. */
  readonly limit: number
}

/** What `claim` may choose from. */
export interface ClaimOptions {
  readonly holder: string
  /** Only lanes whose name begins so. Default: all. */
  readonly prefix?: string
  /** Only work due by then, milliseconds since 1970. */
  readonly now: number
  /** At most so many in all. */
  readonly limit: number
  /** At most so many of each lane that `room` does not name. */
  readonly perLane: number
  /** How many more of a lane may be taken, be that fewer than `perLane` or more; 0 leaves the lane out. */
  readonly freeSlots?: ReadonlyMap<string, number>
}

/**
 * Work made from the log, shared by many processes. Every write filters on the holder and the fence. Who
 * holds work shows that it lives in the store's `liveness`; the work of a holder that is not among the living is freed, by
 * anybody.
 */
export interface WorkTable {
  /**
   * The time that due times and deadlines are compared with, milliseconds since 1970. One clock for all processes that
   * share the table, the database's, and steady between its readings: a wrong or jumping clock of one process delays
   * nothing.
   */
  time(): Promise<number>
  /** Adds what is not there yet, done work included. */
  add(work: readonly NewWork[]): Promise<void>
  /** Takes due work nobody is at, oldest first within a lane, lanes in turn. */
  claim(options: ClaimOptions): Promise<Work[]>
  /** Takes waiting work whose deadline has passed, due or not, whatever the lane; the oldest deadline first. */
  claimOverdue(options: OverdueOptions): Promise<Work[]>
  /**
   * Makes waiting work of a lane due at `dueAt`, where it was due later: a page of at most 1,000 rows at a time. Returns how
   * many rows changed.
   */
  hasten(lane: string, dueAt: number, options?: HastenOptions): Promise<number>
  /**
   * Lists work that is not done, in hand or not, by lane, due time and id. What is put back between two pages is
   * due later, and may be on both: count by id.
   */
  open(options: OpenWorkOptions): Promise<Work[]>
  /** Gives it back, due again later. False: somebody else has it by now. */
  putBack(work: Work, change: { readonly dueAt: number; readonly body: JsonObject }): Promise<boolean>
  /** Marks it as done, and lets go of its body. False: somebody else has it by now. */
  finish(work: Work, at: number): Promise<boolean>
  get(id: string): Promise<Work | undefined>
  /**
   * Work that nobody is at is not due before this time, in lanes that begin so; undefined when none is open. May be too
   * early, by what was claimed or freed since somebody looked.
   */
  nextDueAt(prefix?: string, options?: NextDueOptions): Promise<number | undefined>
  /** How much is open, in hand or not: in one lane, in lanes that begin so, or in all. */
  countOpen(options?: { readonly prefix?: string; readonly lane?: string }): Promise<number>
  /** The lanes with most open work, those with most first, and how long it has waited. One read for all of them. */
  busiest(options: BusiestOptions): Promise<LaneCount[]>
  /** Removes what was done before then, milliseconds since 1970; a bounded part of it. Returns how many rows went. */
  sweep(doneBefore: number): Promise<number>

  /** Who holds work. */
  holders(): Promise<string[]>
  /** Frees all that a holder has in hand. Returns how many rows that was. */
  free(holder: string): Promise<number>
}
