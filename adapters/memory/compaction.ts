import { StoreClosedError, StoreUnavailableError } from '../../lib/errors.ts'
import type { Logger } from '../../lib/logger.ts'
import type { Commits } from './commits.ts'
import type { Entry, Journal, Rewriting } from './journal.ts'
import { LogState } from './log-state.ts'

/** Tables are made anew when so many commits in them are removed, and they are half of all or more. */
const GONE = 1_000

/** A journal is written anew when it is twice as long as what is needed of it, and so many bytes. */
const JOURNAL_BYTES = 16 * 1024 * 1024

/** So many commits are copied at a time: each may take 8 MB. */
const COMMITS_AT_ONCE = 16

/** So many other entries are written as one batch. */
const ENTRIES_AT_ONCE = 1_000

/** What is compacted. */
export interface CompactionParts {
  readonly journal: Journal
  readonly commits: Commits
  readonly state: () => LogState
  /** The tables that were made anew take the place of the former ones. */
  readonly replaceState: (state: LogState) => void
  /** Does something while nothing is written. */
  readonly between: (work: () => Promise<void>) => Promise<void>
  /** Positions at or below it may be missing. */
  readonly floor: () => number
  /** What a journal holds beside commits. */
  readonly tables: () => Iterable<Entry>
  /** Something has failed: the journal may have. */
  readonly noticeFailure: () => void
  readonly logger: Logger
}

/**
 * Leaves behind what is not needed any more. Commits are copied beside the writes; the last of them, and all tables, while
 * nothing is written. What fails changes nothing, and is tried again when there is more to be won.
 */
export class Compaction {
  readonly #parts: CompactionParts
  #first: readonly Entry[] = []
  /** What the journal took when it held no more than is needed. Undefined: it is not to be written anew. */
  #neededBytes: number | undefined
  #running: Promise<unknown> | undefined
  /** The journal that is being written. */
  #rewriting: Rewriting | undefined
  /** The one that begins when that has ended. */
  #renewal: Promise<void> | undefined
  /** Removed since it began. */
  #meanwhile: number[] = []
  /** How much could be won when it failed last. */
  #failed = { gone: 0, bytes: 0 }
  /** It failed last: that was told. */
  #isFailing = false
  #isStopped = false
  /** A journal is read to its end first: one that took its place before that would hold nothing of it. */
  #mayBegin: boolean

  constructor(parts: CompactionParts) {
    this.#parts = parts
    this.#mayBegin = parts.journal.rewrite === undefined
  }

  /**
   * The journal has been read. Nothing is compacted before.
   *
   * @param first - what a new journal begins with
   */
  begin(first: readonly Entry[], neededBytes: number): void {
    this.#mayBegin = true
    this.#first = first
    this.#neededBytes = neededBytes
    this.consider()
  }

  removed(positions: readonly number[]): void {
    if (this.#running !== undefined) this.#meanwhile.push(...positions)
    this.consider()
  }

  /** Begins, if it is worth it. */
  consider(): void {
    if (!this.#mayBegin || this.#running !== undefined || this.#isStopped || !this.#isWorthIt()) return
    void this.#start()
  }

  /**
   * Begins, whether or not it is worth it, and resolves when nothing is left of what was not needed any more when it was
   * called. All who ask before it begins share it.
   *
   * @throws StoreUnavailableError (`STORE_UNAVAILABLE`): it is still there
   */
  renew(): Promise<void> {
    // Without a journal it is nowhere but in memory.
    if (this.#neededBytes === undefined || !this.#parts.journal.rewrite) return Promise.resolve()
    this.#renewal ??= this.#renew()
    return this.#renewal
  }

  async #renew(): Promise<void> {
    do
      await this.#running // it may have begun before
    while (this.#running !== undefined)
    this.#renewal = undefined // whoever asks from now on needs another one
    if (this.#isStopped) throw new StoreClosedError()
    const failure = await this.#start()
    if (failure === undefined) return
    throw new StoreUnavailableError(
      'the journal could not be written anew: what is not needed any more is still in it. Try again',
      { cause: failure },
    )
  }

  /** Resolves when it is not at work any more. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  /**
   * Gives the journal up that is being written, so that its room on the disk is free. Called while nothing is done between
   * writes. False: none is being written.
   */
  async giveUp(): Promise<boolean> {
    const rewriting = this.#rewriting
    this.#rewriting = undefined
    await rewriting?.abandon().catch(() => {})
    return rewriting !== undefined
  }

  /** Resolves when what was begun is done. */
  async idle(): Promise<void> {
    await this.#running
  }

  #isWorthIt(): boolean {
    const { all, gone } = this.#parts.state().size
    if (gone >= Math.max(GONE, all / 2, this.#failed.gone * 2)) return true
    const { bytes = 0 } = this.#parts.journal.size ?? {}
    return (
      this.#neededBytes !== undefined &&
      bytes >= 2 * this.#neededBytes + JOURNAL_BYTES &&
      bytes >= this.#failed.bytes + JOURNAL_BYTES
    )
  }

  /** Resolves with why it failed, or with nothing. */
  #start(): Promise<unknown> {
    this.#meanwhile = []
    this.#running = this.#run()
      .catch((error: unknown) => {
        this.#onFailure(error)
        return error
      })
      .finally(() => {
        this.#running = undefined
      })
    return this.#running
  }

  #onFailure(err: unknown): void {
    const { journal, state, noticeFailure, logger } = this.#parts
    this.#failed = { gone: state().size.gone, bytes: journal.size?.bytes ?? 0 }
    noticeFailure()
    if (this.#isStopped) return
    if (!this.#isFailing)
      logger.warn(
        { event: 'journal_not_rewritten', err },
        'the journal could not be written anew: it keeps what is not needed any more, and grows',
      )
    this.#isFailing = true
  }

  async #run(): Promise<void> {
    const { journal, commits, between, replaceState } = this.#parts
    const rewriting = await journal.rewrite?.()
    this.#rewriting = rewriting
    const isOver = (): boolean => this.#isStopped || this.#rewriting !== rewriting
    try {
      const copy = new Copy(this.#parts, rewriting)
      while (!isOver() && (await copy.next())) {}
      await rewriting?.flush() // while the writes go on: what is left is little
      await between(async () => {
        if (isOver()) throw new Error('it was given up')
        while (await copy.next()) {}
        copy.state.remove(this.#meanwhile)
        await this.#writeTables(rewriting)
        await rewriting?.finish()
        copy.state.markDurable()
        replaceState(copy.state)
        commits.forget(this.#meanwhile)
        if (this.#neededBytes !== undefined) this.#neededBytes = journal.size?.bytes ?? 0
        this.#failed = { gone: 0, bytes: 0 }
        this.#isFailing = false
      })
    } catch (error) {
      const wasGivenUp = isOver() && !this.#isStopped
      await rewriting?.abandon().catch(() => {})
      throw wasGivenUp ? new Error('the disk is full: an append needed the room', { cause: error }) : error
    } finally {
      this.#rewriting = undefined
    }
  }

  async #writeTables(rewriting: Rewriting | undefined): Promise<void> {
    if (!rewriting) return
    const { floor, tables } = this.#parts
    const removed: Entry = { kind: 'removed', removed: { floor: floor(), positions: [...this.#meanwhile] } }
    let batch: Entry[] = [...this.#first, removed]
    for (const entry of tables()) {
      batch.push(entry)
      if (batch.length < ENTRIES_AT_ONCE) continue
      await rewriting.write(batch)
      batch = []
    }
    if (batch.length > 0) await rewriting.write(batch)
  }
}

/** The commits that are left, in tables of their own, and in a journal of their own. */
class Copy {
  readonly state: LogState
  readonly #parts: CompactionParts
  readonly #rewriting: Rewriting | undefined
  #at = 0
  #floor = 0

  constructor(parts: CompactionParts, rewriting: Rewriting | undefined) {
    this.#parts = parts
    this.#rewriting = rewriting
    this.state = new LogState(parts.commits)
  }

  /** Copies the next ones. False: there are none. */
  async next(): Promise<boolean> {
    const { state, commits, floor } = this.#parts
    const positions = state().positionsBehind(this.#at, COMMITS_AT_ONCE)
    const last = positions.at(-1)
    if (last === undefined) return false
    const stored = await commits.stored(positions)
    for (const commit of stored) this.state.index(commit)
    // Before the commits: only below the floor may some be missing.
    const raised = floor() > this.#floor
    this.#floor = floor()
    await this.#rewriting?.write([
      ...(raised ? [{ kind: 'removed', removed: { floor: this.#floor, positions: [] } } as const] : []),
      ...stored.map((commit) => ({ kind: 'commit', commit }) as const),
    ])
    this.#at = last
    return true
  }
}
