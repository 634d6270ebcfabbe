import type { Clock } from '../clock.ts'
import { KeyUnknownError, OptionInvalidError, ResumeUnfitError, SealBrokenError } from '../errors.ts'
import { assertKnownOptions } from '../known-options.ts'
import { versionClaim } from '../log/claims.ts'
import { streamsOf } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import type { LogEntry } from '../log/log-entry.ts'
import type { FoundSegment, Segment, SegmentTable } from '../log/segment-table.ts'
import { AccountKeys } from '../secrets/account-keys.ts'
import type { Anchor } from './anchor.ts'
import { ContentSum } from './contents.ts'
import { CHAIN_START, entriesIn, idOf, linkOf, PositionBits, SEGMENT, segmentOf } from './segments.ts'

/** What may be wrong with a log. */
export type FaultCode =
  /** A position above the log's beginning is neither a commit nor a tombstone: something was removed. */
  | 'POSITION_MISSING'
  /** It was in the log, retention has not removed it, and it is gone. */
  | 'COMMIT_REMOVED'
  /** It was not in the log when that was written down. */
  | 'COMMIT_ADDED'
  /** Other commits than those that were there when that was written down: each is genuine, and was there another time. */
  | 'COMMIT_REPLACED'
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
  /** The log ends before what an anchor says that it held: it was put back to an earlier day. */
  | 'ANCHOR_AHEAD'
  /** Where an anchor says what the log held it holds something else: it was put back, and went on from there. */
  | 'ANCHOR_DIFFERS'
  /** The anchor is of another log. */
  | 'ANCHOR_FOREIGN'

/** One of them. */
export interface Fault {
  readonly code: FaultCode
  readonly position: number
  /** What exactly; nothing secret. */
  readonly what: string
}

/** How a log is verified. All optional. */
export interface VerifyOptions {
  /** Begins behind this position. Default: 0. */
  readonly after?: number
  /** Goes on where a run was interrupted: the `resume` of its report or of its progress. What it found counts here. */
  readonly resume?: VerifyResume
  /** What the log held before: see `makeAnchor()`. They are compared at the end of the run, one after the other. */
  readonly anchors?: Iterable<Anchor> | AsyncIterable<Anchor>
  /** Opens what is sealed, too. Default: false. */
  readonly deep?: boolean
  readonly signal?: AbortSignal
  /** Called with each fault, as it is found. */
  readonly onFault?: (fault: Fault) => void
  /** Called after each thousand positions, when what was found in them was told. */
  readonly onProgress?: (progress: VerifyProgress) => void
}

/** How far a run has got. */
export interface VerifyProgress {
  readonly at: number
  readonly end: number
  readonly faults: number
  /** What a later run needs to go on from here. All that was found up to here `onFault` was told. */
  readonly resume: VerifyResume
}

/** Where a run got to, as plain JSON. */
export interface VerifyResume {
  /** Of this form. */
  readonly version: 1
  /** Which log: see `EventStore.logId`. */
  readonly log: string
  readonly deep: boolean
  readonly at: number
  readonly commits: number
  readonly tombstones: number
  readonly byCode: Readonly<Partial<Record<FaultCode, number>>>
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
  /** How many anchors were compared. */
  readonly anchors: number
  /** What a later run needs to go on. Absent: this one got to the end. */
  readonly resume?: VerifyResume
}

const OPTIONS: ReadonlySet<string> = new Set(['after', 'resume', 'anchors', 'deep', 'signal', 'onFault', 'onProgress'])

/** So long a missing position is waited for, in milliseconds: its writer may be about to come. */
const IN_FLIGHT_MS = 5_000

/**
 * Looks at a whole log, a page at a time and in constant memory, for what must never be there. Reads only. What is appended
 * meanwhile is left to the next run. A run that is interrupted tells how to go on: together the two find what one would.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 * @throws ResumeUnfitError (`RESUME_UNFIT`): `resume` is of another log, of a run with another `deep`, or from behind the end
 */
export async function verifyLog(
  { store, clock }: { readonly store: EventStore; readonly clock: Clock },
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  assertKnownOptions(options, OPTIONS)
  const { signal, onProgress } = options
  const [end, floor] = [await store.end(), await store.retention.floor()]
  const run = new Run(store, clock, floor, end, options)
  while (run.at < end && !signal?.aborted) {
    if (!(await run.stretch(Math.min(end, segmentOf(run.at + 1) * SEGMENT)))) break
    // Not within a segment: whoever goes on from here compares whole ones.
    if (run.at % SEGMENT === 0) onProgress?.({ at: run.at, end, faults: run.faults, resume: run.resume() })
  }
  if (run.at < end) return { ...run.report(), resume: run.resume() }
  await run.consumers()
  await run.head()
  run.beginning()
  await run.anchors()
  return run.report()
}

class Run {
  /** Up to here everything was looked at. */
  at: number
  faults = 0
  readonly #store: EventStore
  readonly #clock: Clock
  readonly #accountKeys: AccountKeys
  readonly #floor: number
  readonly #end: number
  readonly #options: VerifyOptions
  readonly #byCode: Partial<Record<FaultCode, number>>
  /** What was found in the stretch in hand: told when it is done, so that whoever goes on tells it once. */
  #found: Fault[] = []
  #commits: number
  #tombstones: number
  #anchors = 0

  constructor(store: EventStore, clock: Clock, floor: number, end: number, options: VerifyOptions) {
    this.#store = store
    this.#clock = clock
    this.#accountKeys = new AccountKeys(store, clock)
    this.#floor = floor
    this.#end = end
    this.#options = options
    const { at, commits, tombstones, byCode } = beginningOf(options, store.logId, end)
    this.at = at
    this.#commits = commits
    this.#tombstones = tombstones
    this.#byCode = { ...byCode }
    for (const count of Object.values(byCode)) this.faults += count
  }

  /** On to here: positions of one segment, or the rest of them. False: it was interrupted, and is none of this run. */
  async stretch(to: number): Promise<boolean> {
    const from = this.at + 1
    const counted = { commits: this.#commits, tombstones: this.#tombstones }
    const found: Found = new Map()
    for await (const entry of entriesIn(this.#store, from, to)) {
      found.set(entry.position, {
        kind: entry.kind,
        ...('commit' in entry || 'id' in entry ? { id: idOf(entry) } : {}),
      })
      await this.#entry(entry)
    }
    const segment = await this.#segment(segmentOf(from))
    if (segment) {
      this.#compare(segment, from, to, found)
      // Where something else was found the sum says nothing more.
      if (this.#found.length === 0 && from === segment.from && to === segment.to) this.#compareContents(segment, found)
    } else if (!(await this.#missing(from, to, found))) {
      this.#commits = counted.commits
      this.#tombstones = counted.tombstones
      this.#found = []
      return false
    }
    this.at = to
    this.#tell()
    return true
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
  #compare(segment: Segment, from: number, to: number, found: Found): void {
    const tombstones = new PositionBits(segment.from, segment.tombstones)
    const retired = new PositionBits(segment.from, segment.retired)
    for (let position = from; position <= to; position++) {
      const kind = found.get(position)?.kind
      const wasCommit = !tombstones.has(position)
      if (wasCommit && kind === undefined && !retired.has(position))
        this.#fault('COMMIT_REMOVED', position, 'held a commit that retention has not removed, and that is gone')
      if (wasCommit && kind === 'tombstone')
        this.#fault('COMMIT_REMOVED', position, 'held a commit, in whose place somebody has put a tombstone')
      if (!wasCommit && kind === 'commit') this.#fault('COMMIT_ADDED', position, 'held no commit, and holds one now')
    }
  }

  /** Commits that are genuine at their places, and are not those that were there. */
  #compareContents(segment: Segment, found: Found): void {
    const retired = new PositionBits(segment.from, segment.retired)
    const contents = new ContentSum()
    for (const [position, { id }] of found)
      if (id !== undefined && !retired.has(position)) contents.add({ position, id })
    const left = new ContentSum(segment.contents).without(new ContentSum(segment.retiredContents))
    if (contents.toString() !== left.toString())
      this.#fault('COMMIT_REPLACED', segment.from, `positions ${segment.from} to ${segment.to} held other commits`)
  }

  async consumers(): Promise<void> {
    const end = this.#end
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
    const number = last?.number ?? 0
    let isWhole = number <= 1
    if (head !== undefined) {
      const [known] = head === 'forged' ? [] : await segments.list({ from: head.number, limit: 1 })
      isWhole = head !== 'forged' && number >= head.number && known?.link === head.link
    }
    if (!isWhole) {
      const what = 'the end of what was written down of the log is missing'
      this.#fault('CHAIN_BROKEN', last?.to ?? 0, what)
    }
  }

  beginning(): void {
    if (this.#floor > this.#end)
      this.#fault('FLOOR_AHEAD', this.#floor, `the log begins behind its end, ${this.#end}: nobody would follow it`)
  }

  /** What was kept elsewhere of the log. */
  async anchors(): Promise<void> {
    for await (const anchor of this.#options.anchors ?? []) {
      this.#anchors += 1
      await this.#anchor(anchor)
      this.#tell()
    }
  }

  async #anchor(anchor: Anchor): Promise<void> {
    const { log, at, segment, last } = anchor
    const called = `the anchor of ${new Date(at).toISOString()}`
    if (log !== this.#store.logId) {
      this.#fault('ANCHOR_FOREIGN', last?.position ?? 0, `${called} is of another log: this database takes its place`)
      return
    }
    const [inChain, atLast] = [await this.#segmentOf(anchor), await this.#lastOf(anchor)]
    if (segment && inChain !== 'same') {
      const what =
        inChain === 'missing'
          ? `${called} knows segment ${segment.number} of the log, which is not there: the database was put back to an earlier day`
          : `${called} knows another log up to position ${segment.to}: the database was put back, and went on from there`
      this.#fault(inChain === 'missing' ? 'ANCHOR_AHEAD' : 'ANCHOR_DIFFERS', segment.to, what)
    } else if (last && atLast !== 'same') {
      const what =
        atLast === 'missing'
          ? `${called} knows the log up to there: the database was put back to an earlier day`
          : `${called} knows another commit there: the database was put back, and went on from there`
      this.#fault(atLast === 'missing' ? 'ANCHOR_AHEAD' : 'ANCHOR_DIFFERS', last.position, what)
    }
  }

  /** Segments stay, whatever retention removes. */
  async #segmentOf({ segment }: Anchor): Promise<'same' | 'missing' | 'other'> {
    if (!segment) return 'same'
    const [found] = (await this.#store.segments?.list({ from: segment.number, limit: 1 })) ?? []
    if (!found) return 'missing'
    return found.number === segment.number && found.link === segment.link ? 'same' : 'other'
  }

  /** A commit that is not there any more may have been removed by retention: if not, that was found before. */
  async #lastOf({ last }: Anchor): Promise<'same' | 'missing' | 'other'> {
    if (!last) return 'same'
    const { position, commit: id } = last
    // Not the end that the run began with: the anchor may be newer.
    if (position > (await this.#store.end())) return 'missing'
    const [entry] = await this.#store.entries({ after: position - 1, limit: 1 })
    if (entry?.position !== position) return 'same'
    if (entry.kind === 'tombstone') return 'other'
    return entry.kind === 'forged' || idOf(entry) === id ? 'same' : 'other'
  }

  resume(): VerifyResume {
    return {
      version: 1,
      log: this.#store.logId,
      deep: this.#options.deep ?? false,
      at: this.at,
      commits: this.#commits,
      tombstones: this.#tombstones,
      byCode: { ...this.#byCode },
    }
  }

  report(): VerifyReport {
    this.#tell()
    return {
      at: this.at,
      end: this.#end,
      floor: this.#floor,
      commits: this.#commits,
      tombstones: this.#tombstones,
      faults: this.faults,
      byCode: this.#byCode,
      anchors: this.#anchors,
    }
  }

  /** Gaps above the log's beginning, of which nothing is written down yet. False: nobody waited for their writers. */
  async #missing(from: number, to: number, found: Found): Promise<boolean> {
    const isMissing = (position: number): boolean => position > this.#floor && !found.has(position)
    const missing = range(from, to).filter(isMissing)
    if (missing.length === 0) return true
    // A writer may be about to come, and retention may have been here since the floor was read.
    await this.#clock.sleep(IN_FLIGHT_MS, this.#options.signal)
    if (this.#options.signal?.aborted) return false
    const floor = await this.#store.retention.floor()
    const there = new Set<number>()
    for await (const { position } of entriesIn(this.#store, Number(missing[0]), Number(missing.at(-1))))
      there.add(position)
    for (const position of missing) {
      if (position > floor && !there.has(position))
        this.#fault('POSITION_MISSING', position, 'is neither a commit nor a tombstone: what was there was removed')
    }
    return true
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
    this.#found.push({ code, position, what })
  }

  #tell(): void {
    for (const fault of this.#found) {
      this.faults += 1
      this.#byCode[fault.code] = (this.#byCode[fault.code] ?? 0) + 1
      this.#options.onFault?.(fault)
    }
    this.#found = []
  }
}

/** What is at the positions of a stretch. */
type Found = Map<number, { readonly kind: LogEntry['kind']; readonly id?: string }>

/** @throws OptionInvalidError, ResumeUnfitError */
function beginningOf({ after, resume, deep = false }: VerifyOptions, log: string, end: number): VerifyResume {
  if (resume === undefined) {
    const at = after ?? 0
    if (!Number.isSafeInteger(at) || at < 0) throw new OptionInvalidError('after', 'must be a position')
    return { version: 1, log, deep, at, commits: 0, tombstones: 0, byCode: {} }
  }
  if (after !== undefined) throw new OptionInvalidError('after', 'goes with no `resume`, which says where to begin')
  assertResumable(resume, { log, deep, end })
  return resume
}

/** @throws ResumeUnfitError (`RESUME_UNFIT`) */
export function assertResumable(
  resume: VerifyResume,
  { log, deep, end }: { readonly log: string; readonly deep: boolean; readonly end: number },
): void {
  if (resume.version !== 1) throw new ResumeUnfitError('another version of this package has begun it')
  if (resume.log !== log) throw new ResumeUnfitError('it was begun on another log')
  if (resume.deep !== deep) throw new ResumeUnfitError(`it was begun ${resume.deep ? 'with' : 'without'} \`deep\``)
  if (resume.at > end)
    throw new ResumeUnfitError(`it has got to position ${resume.at}, and the log ends at ${end}: is its end gone?`)
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
