import { createHash } from 'node:crypto'
import type { EventStore } from '../log/event-store.ts'
import type { LogEntry } from '../log/log-entry.ts'
import type { Segment, SegmentTable } from '../log/segment-table.ts'

/** So many positions are in a segment. */
export const SEGMENT: number = 1_000

/** What the first segment follows. */
export const CHAIN_START: string = 'nothing'

/** So many entries are read at a time: each may take 8 MB. */
const ENTRIES_AT_ONCE = 100

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
export function linkOf(before: string, { number, from, to, tombstones }: Omit<Segment, 'link' | 'retired'>): string {
  return createHash('sha256')
    .update(JSON.stringify([before, number, from, to, tombstones]))
    .digest('base64url')
}

/**
 * Writes down what is in the log, for each segment that is complete up to the horizon. Returns up to where that is done.
 *
 * @param horizon - up to here nothing changes any more
 */
export async function linkSegments(
  store: EventStore,
  segments: SegmentTable,
  horizon: number,
  signal: AbortSignal,
): Promise<number> {
  let last: Segment | undefined = await segments.last()
  while (!signal.aborted) {
    const number = (last?.number ?? 0) + 1
    const from = (number - 1) * SEGMENT + 1
    const to = number * SEGMENT
    if (to > horizon) break
    const tombstones = (await tombstonesIn(store, from, to)).toString()
    const link = linkOf(last?.link ?? CHAIN_START, { number, from, to, tombstones })
    last = { number, from, to, tombstones, retired: '', link }
    await segments.add(last)
  }
  return last?.to ?? 0
}

/** What is missing counts as a tombstone: nobody can say that a commit was there. */
async function tombstonesIn(store: EventStore, from: number, to: number): Promise<PositionBits> {
  const commits = new Set<number>()
  for await (const { position, kind } of entriesIn(store, from, to)) if (kind !== 'tombstone') commits.add(position)
  const bits = new PositionBits(from)
  for (let position = from; position <= to; position++) if (!commits.has(position)) bits.add(position)
  return bits
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

/** Writes down that these positions are removed: before they are. */
export async function retireInSegments(segments: SegmentTable, positions: readonly number[]): Promise<void> {
  const bySegment = new Map<number, number[]>()
  for (const position of positions) {
    const number = segmentOf(position)
    bySegment.set(number, [...(bySegment.get(number) ?? []), position])
  }
  for (const [number, own] of bySegment) {
    const [segment] = await segments.list({ from: number, limit: 1 })
    if (segment?.number !== number) continue
    const retired = new PositionBits(segment.from, segment.retired)
    for (const position of own) retired.add(position)
    await segments.retire(segment, retired.toString())
  }
}
