/** A stretch of the log of which it is written down what was there. */
export interface Segment {
  /** From 1, without a gap. */
  readonly number: number
  readonly from: number
  readonly to: number
  /** Which positions held tombstones: a `PositionBits`. All others held commits. */
  readonly tombstones: string
  /** Which commits were there: a `ContentSum`. */
  readonly contents: string
  /** Which positions retention has removed since: a `PositionBits`. */
  readonly retired: string
  /** The commits that it has removed: a `ContentSum`. */
  readonly retiredContents: string
  /** The hash of this segment and of the link before it: see `linkOf`. */
  readonly link: string
}

/** A segment as it is stored. */
export interface FoundSegment extends Segment {
  /** Whether a process with the log's keys has written exactly this. */
  readonly isGenuine: boolean
  /** Another one after each change. */
  readonly proof: string
}

/** The last segment that was written: it cannot be taken away without being missed. */
export interface SegmentHead {
  readonly number: number
  readonly link: string
}

/**
 * What was in the log, in a chain of segments: whatever is missing later, and was not removed by retention, is found. One
 * process at a time writes it.
 */
export interface SegmentTable {
  /** In order, from this number on. */
  list(options: { readonly from: number; readonly limit: number }): Promise<FoundSegment[]>
  /** The one with the highest number. */
  last(): Promise<FoundSegment | undefined>
  /** Adds one; nothing where it is there already. */
  add(segment: Segment): Promise<void>
  /** Writes down what retention removes, before it is removed. False: it has changed since it was read. */
  retire(segment: FoundSegment, removed: Pick<Segment, 'retired' | 'retiredContents'>): Promise<boolean>
  /** The head, if there is one that a process with the log's keys has written. `forged`: there is another one. */
  head(): Promise<SegmentHead | 'forged' | undefined>
  /** After the segment was added. */
  setHead(head: SegmentHead): Promise<void>
}
