import type { LogEntry } from '../log/log-entry.ts'
import type { FoundSegment, Segment, SegmentTable } from '../log/segment-table.ts'
import { ContentSum } from './contents.ts'
import type { Fault, FaultCode } from './fault.ts'
import { CHAIN_START, linkOf, PositionBits, SEGMENT } from './segments.ts'

/** What is at the positions of a stretch. */
export type Found = ReadonlyMap<number, { readonly kind: LogEntry['kind']; readonly id?: string }>

/** The segment that was written down, if it was, and if it and its place in the chain are whole. */
export async function segmentIn(
  segments: SegmentTable,
  number: number,
): Promise<{ readonly segment?: Segment; readonly fault?: Fault }> {
  const [before, segment] = await listed(segments, number)
  if (!segment) {
    const last = await segments.last()
    if (!last || last.number < number) return {}
    const what = `segment ${number} of what was in the log is missing`
    return { fault: { code: 'CHAIN_BROKEN', position: (number - 1) * SEGMENT + 1, what } }
  }
  const isLinked = segment.link === linkOf(before?.link ?? CHAIN_START, segment)
  if (segment.isGenuine && isLinked && (before !== undefined || number === 1)) return { segment }
  const what = `segment ${number} of what was in the log is not what was written there`
  return { fault: { code: 'CHAIN_BROKEN', position: segment.from, what } }
}

async function listed(
  segments: SegmentTable,
  number: number,
): Promise<readonly [Segment | undefined, FoundSegment | undefined]> {
  const found = await segments.list({ from: Math.max(1, number - 1), limit: 2 })
  return [found.find((one) => one.number === number - 1), found.find((one) => one.number === number)]
}

/** What is there now, and what was. */
export function* faultsOfStretch(segment: Segment, from: number, to: number, found: Found): Generator<Fault> {
  const tombstones = new PositionBits(segment.from, segment.tombstones)
  const retired = new PositionBits(segment.from, segment.retired)
  const fault = (code: FaultCode, position: number, what: string): Fault => ({ code, position, what })
  for (let position = from; position <= to; position++) {
    const kind = found.get(position)?.kind
    const wasCommit = !tombstones.has(position)
    if (wasCommit && kind === undefined && !retired.has(position))
      yield fault('COMMIT_REMOVED', position, 'held a commit that retention has not removed, and that is gone')
    if (wasCommit && kind === 'tombstone')
      yield fault('COMMIT_REMOVED', position, 'held a commit, in whose place somebody has put a tombstone')
    if (!wasCommit && kind === 'commit') yield fault('COMMIT_ADDED', position, 'held no commit, and holds one now')
  }
}

/** Commits that are there, though it is written down that they were removed. */
export function backIn(segment: Segment, from: number, to: number, found: Found): number[] {
  const retired = new PositionBits(segment.from, segment.retired)
  const isBack = ([position, { kind }]: readonly [number, { readonly kind: LogEntry['kind'] }]): boolean =>
    position >= from && position <= to && kind !== 'tombstone' && retired.has(position)
  return [...found].filter(isBack).map(([position]) => position)
}

/** Commits that are genuine at their places, and are not those that were there: of a whole segment. */
export function faultOfContents(segment: Segment, found: Found): Fault | undefined {
  const { from, to } = segment
  const retired = new PositionBits(from, segment.retired)
  const contents = new ContentSum()
  for (const [position, { id }] of found) if (id !== undefined && !retired.has(position)) contents.add({ position, id })
  const left = new ContentSum(segment.contents).without(new ContentSum(segment.retiredContents))
  if (contents.toString() === left.toString()) return undefined
  return { code: 'COMMIT_REPLACED', position: from, what: `positions ${from} to ${to} held other commits` }
}

/** The segments that were written last cannot be taken away. */
export async function faultOfHead(segments: SegmentTable): Promise<Fault | undefined> {
  const [head, last] = [await segments.head(), await segments.last()]
  const number = last?.number ?? 0
  let isWhole = number <= 1
  if (head !== undefined) {
    const [known] = head === 'forged' ? [] : await segments.list({ from: head.number, limit: 1 })
    isWhole = head !== 'forged' && number >= head.number && known?.link === head.link
  }
  if (isWhole) return undefined
  const what = 'the end of what was written down of the log is missing'
  return { code: 'CHAIN_BROKEN', position: last?.to ?? 0, what }
}
