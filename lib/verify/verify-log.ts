import type { Clock } from '../clock.ts'
import { forgottenKeys } from '../erasure/forgotten-keys.ts'
import { KeyUnknownError, SealBrokenError } from '../errors.ts'
import { assertKnownOptions } from '../known-options.ts'
import { versionClaim } from '../log/claims.ts'
import { streamsOf } from '../log/commit.ts'
import type { EventStore } from '../log/event-store.ts'
import type { LogEntry } from '../log/log-entry.ts'
import type { Segment } from '../log/segment-table.ts'
import { AccountKeys } from '../secrets/account-keys.ts'
import type { Anchor } from './anchor.ts'
import type { Fault, FaultCode } from './fault.ts'
import { entriesIn, idOf, SEGMENT, segmentOf } from './segments.ts'
import { faultOfAccountKey, faultsOfForgotten } from './verify-account-keys.ts'
import { faultOfAnchor } from './verify-anchor.ts'
import { backIn, type Found, faultOfContents, faultOfHead, faultsOfStretch, segmentIn } from './verify-chain.ts'
import { beginningOf, type VerifyResume } from './verify-resume.ts'

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
  /** Called after each thousand positions, and each 500 keys of accounts, when what was found in them was told. */
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

/** So many keys of accounts are looked at with one command. */
const KEYS_AT_ONCE = 500

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
  const told = (): void => onProgress?.({ at: run.at, end, faults: run.faults, resume: run.resume() })
  while (!signal?.aborted && (await run.accountKeys())) told()
  if (signal?.aborted) return { ...run.report(), resume: run.resume() }
  await run.consumers()
  await run.head()
  run.beginning()
  const resume = run.resume()
  const isDone = await run.anchors()
  return isDone ? run.report() : { ...run.report(), resume }
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
  /** Up to this key of an account they were looked at. */
  #keysAfter: string | undefined

  constructor(store: EventStore, clock: Clock, floor: number, end: number, options: VerifyOptions) {
    this.#store = store
    this.#clock = clock
    this.#accountKeys = new AccountKeys(store, clock)
    this.#floor = floor
    this.#end = end
    this.#options = options
    const { at, commits, tombstones, byCode, accountKeysAfter } = beginningOf(options, store.logId, end)
    this.at = at
    this.#keysAfter = accountKeysAfter
    this.#commits = commits
    this.#tombstones = tombstones
    this.#byCode = { ...byCode }
    for (const count of Object.values(byCode)) this.faults += count
  }

  /** On to here: positions of one segment, or the rest of them. False: it was interrupted, and is none of this run. */
  async stretch(to: number): Promise<boolean> {
    const from = this.at + 1
    const counted = { commits: this.#commits, tombstones: this.#tombstones }
    const found: WritableFound = new Map()
    const forgotten = new Map<string, number>()
    for await (const entry of entriesIn(this.#store, from, to)) {
      add(found, entry)
      await this.#entry(entry)
      if (entry.kind === 'commit') for (const id of forgottenKeys(entry.commit)) forgotten.set(id, entry.position)
    }
    const segment = await this.#segment(segmentOf(from))
    const isWhole = segment ? await this.#back(segment, from, to, found) : await this.#missing(from, to, found)
    if (segment && isWhole) {
      this.#found.push(...faultsOfStretch(segment, from, to, found))
      // Where something else was found the sum says nothing more.
      if (this.#found.length === 0 && to === segment.to) this.#note(await this.#contents(segment, from, found))
    }
    if (!isWhole) {
      this.#commits = counted.commits
      this.#tombstones = counted.tombstones
      this.#found = []
      return false
    }
    this.#found.push(...(await faultsOfForgotten(this.#store, forgotten)))
    this.at = to
    this.#tell()
    return true
  }

  /** What was written down of it, if that can be believed. */
  async #segment(number: number): Promise<Segment | undefined> {
    if (!this.#store.segments) return undefined
    const { segment, fault } = await segmentIn(this.#store.segments, number)
    this.#note(fault)
    return segment
  }

  async consumers(): Promise<void> {
    const end = this.#end
    for (const { name, position } of await this.#store.consumers.list()) {
      if (position > end)
        this.#fault('CHECKPOINT_AHEAD', position, `the consumer ${name} is beyond the log's end, ${end}`)
    }
  }

  /** The end of what was written down. */
  async head(): Promise<void> {
    if (this.#store.segments) this.#note(await faultOfHead(this.#store.segments))
  }

  /** Of the whole segment, also where this run began within it. */
  async #contents(segment: Segment, from: number, found: Found): Promise<Fault | undefined> {
    const all = new Map(found)
    if (from > segment.from) for await (const entry of entriesIn(this.#store, segment.from, from - 1)) add(all, entry)
    return faultOfContents(segment, all)
  }

  /** What retention has removed, and is there. False: nobody waited for retention, which may be removing it. */
  async #back(segment: Segment, from: number, to: number, found: Found): Promise<boolean> {
    // Above the log's beginning a process has died, or is about to go on, before it removed what it had written down.
    const back = backIn(segment, from, Math.min(to, this.#floor), found)
    if (back.length === 0) return true
    await this.#clock.sleep(IN_FLIGHT_MS, this.#options.signal)
    if (this.#options.signal?.aborted) return false
    const there = new Set<number>()
    for await (const { position } of entriesIn(this.#store, Number(back[0]), Number(back.at(-1)))) there.add(position)
    for (const position of back.filter((one) => there.has(one)))
      this.#fault('COMMIT_BACK', position, 'is there again, though retention has removed it')
    return true
  }

  /** A page of them. False: there are no more. */
  async accountKeys(): Promise<boolean> {
    const { accountKeys } = this.#store
    const after = this.#keysAfter
    const page = await accountKeys.list({ limit: KEYS_AT_ONCE, ...(after !== undefined && { after }) })
    for (const record of page) this.#note(faultOfAccountKey(this.#store.keys, record))
    this.#tell()
    this.#keysAfter = page.at(-1)?.id ?? after
    return page.length === KEYS_AT_ONCE
  }

  beginning(): void {
    if (this.#floor > this.#end)
      this.#fault('FLOOR_AHEAD', this.#floor, `the log begins behind its end, ${this.#end}: nobody would follow it`)
  }

  /** What was kept elsewhere of the log. False: it was interrupted; a later run compares all of them. */
  async anchors(): Promise<boolean> {
    for await (const anchor of this.#options.anchors ?? []) {
      if (this.#options.signal?.aborted) {
        this.#found = []
        return false
      }
      this.#anchors += 1
      this.#note(await faultOfAnchor(this.#store, anchor))
    }
    return true
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
      ...(this.#keysAfter !== undefined && { accountKeysAfter: this.#keysAfter }),
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
    this.#note({ code, position, what })
  }

  #note(fault: Fault | undefined): void {
    if (fault) this.#found.push(fault)
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

type WritableFound = Map<number, { readonly kind: LogEntry['kind']; readonly id?: string }>

function add(found: WritableFound, entry: LogEntry): void {
  const id = 'commit' in entry || 'id' in entry ? { id: idOf(entry) } : {}
  found.set(entry.position, { kind: entry.kind, ...id })
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
