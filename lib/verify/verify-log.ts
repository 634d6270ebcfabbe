import type { Clock } from '../clock.ts'
import { KeyUnknownError, SealBrokenError } from '../errors.ts'
import { versionClaim } from '../log/claims.ts'
import { streamsOf } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import type { LogEntry } from '../log/log-entry.ts'
import type { FoundSegment, Segment, SegmentTable } from '../log/segment-table.ts'
import { AccountKeys } from '../secrets/account-keys.ts'
import { CHAIN_START, entriesIn, linkOf, PositionBits, SEGMENT, segmentOf } from './segments.ts'

/** What may be wrong with a log. */
export type FaultCode =
  /** A position above the log's beginning is neither a commit nor a tombstone: something was removed. */
  | 'POSITION_MISSING'
  /** It was in the log, retention has not removed it, and it is gone. */
  | 'COMMIT_REMOVED'
  /** It was not in the log when that was written down. */
  | 'COMMIT_ADDED'
  /** What was written down of the log is not whole any more. */
  | 'CHAIN_BROKEN'
  /** Something that this OP has not stored there. */
  | 'COMMIT_FORGED'
  /** A newer version has stored it: it cannot be verified here. */
  | 'COMMIT_NEWER'
  /** The store finds it by other streams than it names. */
  | 'STREAMS_DIFFER'
  /** It has versions that it does not claim: another commit may have the same. */
  | 'CLAIM_MISSING'
  /** A version of a stream follows none. */
  | 'VERSION_MISSING'
  /** What is sealed cannot be opened, although its key is there. */
  | 'SEAL_BROKEN'
  /** A key that it is sealed with is not configured here. */
  | 'KEY_UNKNOWN'
  /** A consumer believes to have handled what is not there. */
  | 'CHECKPOINT_AHEAD'
  /** Retention has removed what is not there yet, if the database is to be believed. */
  | 'FLOOR_AHEAD'

/** One of them. */
export interface Fault {
  readonly code: FaultCode
  readonly position: number
  /** What exactly; nothing secret. */
  readonly what: string
}

/** How a log is verified. All optional. */
export interface VerifyOptions {
  /** Begins behind this position: where a run before has got to. Default: 0. */
  readonly after?: number
  /** Opens what is sealed, too. Default: false. */
  readonly deep?: boolean
  readonly signal?: AbortSignal
  /** Called with each fault, as it is found. */
  readonly onFault?: (fault: Fault) => void
  readonly onProgress?: (progress: { readonly at: number; readonly end: number; readonly faults: number }) => void
}

/** What was found. */
export interface VerifyReport {
  /** Up to here everything was looked at: a next run may begin behind it. */
  readonly at: number
  readonly end: number
  readonly floor: number
  readonly commits: number
  readonly tombstones: number
  readonly faults: number
  /** How many of each. */
  readonly byCode: Readonly<Partial<Record<FaultCode, number>>>
}

/** So long a missing position is waited for, in milliseconds: its writer may be about to come. */
const IN_FLIGHT_MS = 5_000

/**
 * Looks at a whole log, a page at a time and in constant memory, for what must never be there. Reads only. What is appended
 * meanwhile is left to the next run.
 */
export async function verifyLog(
  { store, clock }: { readonly store: EventStore; readonly clock: Clock },
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const { after = 0, signal, onProgress } = options
  const [end, floor] = [await store.end(), await store.retention.floor()]
  const run = new Run(store, clock, floor, end, options)
  let at = after
  while (at < end && !signal?.aborted) {
    const to = Math.min(end, segmentOf(at + 1) * SEGMENT)
    await run.stretch(at + 1, to)
    at = to
    onProgress?.({ at, end, faults: run.faults })
  }
  await run.consumers(end)
  await run.head()
  run.beginning()
  return run.report(at)
}

class Run {
  faults = 0
  readonly #store: EventStore
  readonly #clock: Clock
  readonly #accountKeys: AccountKeys
  readonly #floor: number
  readonly #end: number
  readonly #options: VerifyOptions
  readonly #byCode: Partial<Record<FaultCode, number>> = {}
  #commits = 0
  #tombstones = 0

  constructor(store: EventStore, clock: Clock, floor: number, end: number, options: VerifyOptions) {
    this.#store = store
    this.#clock = clock
    this.#accountKeys = new AccountKeys(store, clock)
    this.#floor = floor
    this.#end = end
    this.#options = options
  }

  /** Positions of one segment, or the rest of them. */
  async stretch(from: number, to: number): Promise<void> {
    const kinds = new Map<number, LogEntry['kind']>()
    for await (const entry of entriesIn(this.#store, from, to)) {
      kinds.set(entry.position, entry.kind)
      await this.#entry(entry)
    }
    const segment = await this.#segment(segmentOf(from))
    if (segment) this.#compare(segment, from, to, kinds)
    else await this.#missing(from, to, kinds)
  }

  /** What was written down of it, if it was, and its place in the chain. */
  async #segment(number: number): Promise<Segment | undefined> {
    const { segments } = this.#store
    if (!segments) return undefined
    const [before, segment] = await this.#listed(segments, number)
    if (!segment) {
      const last = await segments.last()
      if (last && last.number > number)
        this.#fault('CHAIN_BROKEN', (number - 1) * SEGMENT + 1, `segment ${number} of what was in the log is missing`)
      return undefined
    }
    const isLinked = segment.link === linkOf(before?.link ?? CHAIN_START, segment)
    if (segment.isGenuine && isLinked && (before !== undefined || number === 1)) return segment
    this.#fault('CHAIN_BROKEN', segment.from, `segment ${number} of what was in the log is not what was written there`)
    return undefined
  }

  async #listed(
    segments: SegmentTable,
    number: number,
  ): Promise<readonly [Segment | undefined, FoundSegment | undefined]> {
    const found = await segments.list({ from: Math.max(1, number - 1), limit: 2 })
    return [found.find((one) => one.number === number - 1), found.find((one) => one.number === number)]
  }

  /** What is there now, and what was. */
  #compare(segment: Segment, from: number, to: number, kinds: ReadonlyMap<number, LogEntry['kind']>): void {
    const tombstones = new PositionBits(segment.from, segment.tombstones)
    const retired = new PositionBits(segment.from, segment.retired)
    for (let position = from; position <= to; position++) {
      const kind = kinds.get(position)
      const wasCommit = !tombstones.has(position)
      if (wasCommit && kind === undefined && !retired.has(position))
        this.#fault('COMMIT_REMOVED', position, 'held a commit that retention has not removed, and that is gone')
      if (wasCommit && kind === 'tombstone')
        this.#fault('COMMIT_REMOVED', position, 'held a commit, in whose place somebody has put a tombstone')
      if (!wasCommit && kind === 'commit') this.#fault('COMMIT_ADDED', position, 'held no commit, and holds one now')
    }
  }

  async consumers(end: number): Promise<void> {
    for (const { name, position } of await this.#store.consumers.list()) {
      if (position > end)
        this.#fault('CHECKPOINT_AHEAD', position, `the consumer ${name} is beyond the log's end, ${end}`)
    }
  }

  /** The segments that were written last cannot be taken away. */
  async head(): Promise<void> {
    const { segments } = this.#store
    if (!segments) return
    const [head, last] = [await segments.head(), await segments.last()]
    const isWhole =
      head === undefined ? (last?.number ?? 0) <= 1 : head !== 'forged' && (last?.number ?? 0) >= head.number
    if (!isWhole) {
      const what = 'the end of what was written down of the log is missing'
      this.#fault('CHAIN_BROKEN', last?.to ?? 0, what)
    }
  }

  beginning(): void {
    if (this.#floor > this.#end)
      this.#fault('FLOOR_AHEAD', this.#floor, `the log begins behind its end, ${this.#end}: nobody would follow it`)
  }

  report(at: number): VerifyReport {
    return {
      at,
      end: this.#end,
      floor: this.#floor,
      commits: this.#commits,
      tombstones: this.#tombstones,
      faults: this.faults,
      byCode: this.#byCode,
    }
  }

  /** Gaps above the log's beginning, of which nothing is written down yet. */
  async #missing(from: number, to: number, kinds: ReadonlyMap<number, LogEntry['kind']>): Promise<void> {
    const isMissing = (position: number): boolean => position > this.#floor && !kinds.has(position)
    const missing = range(from, to).filter(isMissing)
    if (missing.length === 0) return
    // A writer may be about to come, and retention may have been here since the floor was read.
    await this.#clock.sleep(IN_FLIGHT_MS, this.#options.signal)
    const floor = await this.#store.retention.floor()
    const there = new Set<number>()
    for await (const { position } of entriesIn(this.#store, Number(missing[0]), Number(missing.at(-1))))
      there.add(position)
    for (const position of missing) {
      if (position > floor && !there.has(position))
        this.#fault('POSITION_MISSING', position, 'is neither a commit nor a tombstone: what was there was removed')
    }
  }

  async #entry(entry: LogEntry): Promise<void> {
    const { position } = entry
    if (entry.kind === 'tombstone') this.#tombstones += 1
    else if (entry.kind === 'forged') this.#fault('COMMIT_FORGED', position, 'is not what this OP stored there')
    else if (entry.kind === 'newer') this.#fault('COMMIT_NEWER', position, 'was stored by a newer version')
    else {
      this.#commits += 1
      await this.#commit(entry)
    }
  }

  async #commit({ position, commit, streams, claims }: Extract<LogEntry, { kind: 'commit' }>): Promise<void> {
    const named = streamsOf(commit.events)
    if (named.length !== streams.length || !named.every((stream) => streams.includes(stream)))
      this.#fault('STREAMS_DIFFER', position, 'is found by other streams than its events name')
    for (const { stream, version, data } of commit.events) {
      if (version !== undefined) {
        if (!claims.includes(versionClaim(stream, version)))
          this.#fault('CLAIM_MISSING', position, `does not claim version ${version} of ${stream}`)
        if (version > 1 && !(await this.#hasBefore(stream, version, position)))
          this.#fault('VERSION_MISSING', position, `version ${version} of ${stream} follows none`)
      }
      if (this.#options.deep && typeof data['sealed'] === 'string') await this.#seal(position, data['sealed'], stream)
    }
  }

  /** The newest commit of the stream up to this one: versions follow each other. */
  async #hasBefore(stream: string, version: number, position: number): Promise<boolean> {
    const before = await this.#store.read(stream, { from: position, direction: 'backwards', limit: 2 })
    return before.some(({ events }) => events.some((one) => one.stream === stream && one.version === version - 1))
  }

  async #seal(position: number, sealed: string, stream: string): Promise<void> {
    try {
      await this.#accountKeys.open(sealed, stream)
    } catch (error) {
      if (error instanceof KeyUnknownError) this.#fault('KEY_UNKNOWN', position, error.message)
      else if (error instanceof SealBrokenError) this.#fault('SEAL_BROKEN', position, error.message)
      else throw error
    }
  }

  #fault(code: FaultCode, position: number, what: string): void {
    this.faults += 1
    this.#byCode[code] = (this.#byCode[code] ?? 0) + 1
    this.#options.onFault?.({ code, position, what })
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
