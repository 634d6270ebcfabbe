import { createHash } from 'node:crypto'
import { LogForgedError } from '../errors.ts'
import type { Commit } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import type { LogEntry } from '../log/log-entry.ts'
import type { FoundSegment, Segment, SegmentTable } from '../log/segment-table.ts'
import { ContentSum } from './contents.ts'

/** So many positions are in a segment. */
export const SEGMENT: number = 1_000

/** What the first segment follows. */
export const CHAIN_START: string = 'nothing'

/** So many entries are read at a time: each may take 8 MB. */
const ENTRIES_AT_ONCE = 100

/** So many times another process may be faster. */
const RETIRE_TRIES = 10

/** A set of the positions of one segment, as text that is as short when it is empty. */
export class PositionBits {
  readonly #from: number
  readonly #bytes: Buffer

  constructor(from: number, text: string = '') {
    this.#from = from
    this.#bytes = Buffer.alloc(SEGMENT / 8)
    Buffer.from(text, 'base64url').copy(this.#bytes)
  }

  has(position: number): boolean {
    const bit = position - this.#from
    return ((this.#bytes[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0
  }

  add(position: number): void {
    const bit = position - this.#from
    this.#bytes[bit >> 3] = (this.#bytes[bit >> 3] ?? 0) | (1 << (bit & 7))
  }

  toString(): string {
    let end = this.#bytes.length
    while (end > 0 && this.#bytes[end - 1] === 0) end -= 1
    return this.#bytes.subarray(0, end).toString('base64url')
  }
}

/** The number of the segment that holds a position. */
export function segmentOf(position: number): number {
  return Math.ceil(position / SEGMENT)
}

/** Binds a segment to all before it. What retention has removed is no part of it. */
export function linkOf(
  before: string,
  { number, from, to, tombstones, contents }: Omit<Segment, 'link' | 'retired' | 'retiredContents'>,
): string {
  return createHash('sha256')
    .update(JSON.stringify([before, number, from, to, tombstones, contents]))
    .digest('base64url')
}

/**
 * Writes down what is in the log, for each segment that is complete up to the horizon. Returns up to where that is done: not
 * beyond what somebody has forged, since nobody can say what was there before it.
 *
 * @param horizon - up to here nothing changes any more
 * @param made - called after each segment: a log of years takes long when it is gone through for the first time
 */
export async function linkSegments(
  store: EventStore,
  segments: SegmentTable,
  horizon: number,
  signal: AbortSignal,
  made: () => Promise<void> = async () => {},
): Promise<number> {
  let last: Segment | undefined = await lastSegment(segments)
  while (!signal.aborted) {
    const number = (last?.number ?? 0) + 1
    const from = (number - 1) * SEGMENT + 1
    const to = number * SEGMENT
    if (to > horizon) break
    const found = await whatIsIn(store, from, to)
    if (!found) break
    const link = linkOf(last?.link ?? CHAIN_START, { number, from, to, ...found })
    await segments.add({ number, from, to, ...found, retired: '', retiredContents: '', link })
    // Whoever was faster may have seen it when something had gone already: what is stored counts.
    const [stored] = await segments.list({ from: number, limit: 1 })
    if (stored?.number !== number || !stored.isGenuine) throw brokenChain(number)
    await segments.setHead({ number, link: stored.link })
    last = stored
    await made()
  }
  return last?.to ?? 0
}

/**
 * The last segment, which the head knows of; undefined: there is none yet.
 *
 * @throws LogForgedError (`LOG_FORGED`): somebody has taken segments away, or changed them
 */
export async function lastSegment(segments: SegmentTable): Promise<FoundSegment | undefined> {
  const [last, head] = [await segments.last(), await segments.head()]
  if (head === undefined) {
    // Whoever wrote the first one may have died before it wrote the head.
    if (last !== undefined && last.number > 1) throw brokenChain(last.number)
    return last
  }
  if (head === 'forged' || last === undefined || last.number < head.number || !last.isGenuine)
    throw brokenChain(head === 'forged' ? 0 : head.number)
  const [known] = await segments.list({ from: head.number, limit: 1 })
  if (known?.number !== head.number || known.link !== head.link) throw brokenChain(head.number)
  return last
}

function brokenChain(number: number): LogForgedError {
  return new LogForgedError(`what was in the log is not as it was written down, at segment ${number}`)
}

/** What is missing counts as a tombstone: nobody can say that a commit was there. Undefined: something in it is forged. */
async function whatIsIn(
  store: EventStore,
  from: number,
  to: number,
): Promise<Pick<Segment, 'tombstones' | 'contents'> | undefined> {
  const commits = new PositionBits(from)
  const contents = new ContentSum()
  for await (const entry of entriesIn(store, from, to)) {
    if (entry.kind === 'forged') return undefined
    if (entry.kind === 'tombstone') continue
    commits.add(entry.position)
    contents.add({ position: entry.position, id: idOf(entry) })
  }
  const tombstones = new PositionBits(from)
  for (let position = from; position <= to; position++) if (!commits.has(position)) tombstones.add(position)
  return { tombstones: tombstones.toString(), contents: contents.toString() }
}

/** The id of a commit, whichever version has stored it. */
export function idOf(entry: Extract<LogEntry, { kind: 'commit' | 'newer' }>): string {
  return entry.kind === 'commit' ? entry.commit.id : entry.id
}

/** What is at these positions, read so many at a time that memory holds few of them. */
export async function* entriesIn(store: EventStore, from: number, to: number): AsyncGenerator<LogEntry, void> {
  for (let after = from - 1; after < to; ) {
    const page = await store.entries({ after, limit: Math.min(ENTRIES_AT_ONCE, to - after) })
    for (const entry of page) {
      if (entry.position > to) return
      yield entry
    }
    const last = page.at(-1)
    if (!last) return
    after = last.position
  }
}

/**
 * Writes down that these commits are removed: before they are. Returns the positions of those that may go: nothing goes from
 * a segment that somebody else has changed, since its proof would be made anew over what he has written.
 */
export async function retireInSegments(segments: SegmentTable, commits: readonly Placed[]): Promise<number[]> {
  const bySegment = new Map<number, Placed[]>()
  for (const commit of commits) {
    const number = segmentOf(commit.position)
    const own = bySegment.get(number)
    if (own) own.push(commit)
    else bySegment.set(number, [commit])
  }
  const going: number[] = []
  for (const [number, own] of bySegment)
    if (await retireIn(segments, number, own)) going.push(...own.map(({ position }) => position))
  return going
}

/** So many segments are read with one command. */
const SEGMENTS_AT_ONCE = 100

/** Those of these commits, ascending, that were removed, as is written down, and are there all the same. */
export async function thatAreBack<T extends Placed>(segments: SegmentTable, commits: readonly T[]): Promise<T[]> {
  const last = segmentOf(commits.at(-1)?.position ?? 0)
  const retired = new Map<number, PositionBits>()
  for (let from = segmentOf(commits[0]?.position ?? 1); from <= last; ) {
    const page = await segments.list({ from, limit: Math.min(SEGMENTS_AT_ONCE, last - from + 1) })
    for (const one of page) if (one.isGenuine) retired.set(one.number, new PositionBits(one.from, one.retired))
    from = (page.at(-1)?.number ?? last) + 1
  }
  return commits.filter(({ position }) => retired.get(segmentOf(position))?.has(position))
}

/** What is known of a commit that goes. */
type Placed = Pick<Commit, 'position' | 'id'>

/** Tries again where another process has retired others of the same segment at the same moment. */
async function retireIn(segments: SegmentTable, number: number, commits: readonly Placed[]): Promise<boolean> {
  for (let tries = 0; tries < RETIRE_TRIES; tries++) {
    const [segment] = await segments.list({ from: number, limit: 1 })
    if (segment?.number !== number || !segment.isGenuine) return false
    const retired = new PositionBits(segment.from, segment.retired)
    const contents = new ContentSum(segment.retiredContents)
    for (const commit of commits) {
      if (retired.has(commit.position)) continue // by a process that died before it removed it
      retired.add(commit.position)
      contents.add(commit)
    }
    if (await segments.retire(segment, { retired: retired.toString(), retiredContents: contents.toString() }))
      return true
  }
  return false
}
