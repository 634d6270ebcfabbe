import { inParallel } from '../../../lib/in-parallel.ts'
import type { Clock, Commit, EventStore } from '../../../lib/index.ts'
import type { Waiting } from '../receipts/receipt.ts'
import { positionAt } from '../recording/position-at.ts'
import type { LogoutStatistics } from './statistics.ts'
import { StatisticsFold, WINDOW_MS } from './statistics-fold.ts'

/** What statistics are read with. */
export interface StatisticsParts {
  readonly store: EventStore
  readonly clock: Clock
  readonly issuer: string
  /** Clients whose figures are always kept. Default: none. */
  readonly configured?: readonly string[]
  /** What is not counted in a time to logout. */
  readonly waiting: Waiting
}

/** So many commits are read for a look at most, and so many at a time. */
const MOST_COMMITS = 20_000
const READ_SIZE = 1_000

/** The times of so many ends that are older than what was read are looked up for each page, and so many at a time. */
const MOST_LOOKUPS = 200
const LOOKUPS_AT_ONCE = 16

/** What was counted is told again for so long, in milliseconds, however often it is asked for. */
const FRESH_MS = 1_000

/** A position of the log that nothing is at is waited for so long, in milliseconds: its commit may still be on its way. */
const HOLE_MS = 60_000

/** What was counted so far, and how far. */
interface Counted {
  readonly fold: StatisticsFold
  readonly coveredFrom: number | undefined
  position: number
}

/**
 * Figures of the last 24 hours, counted from the log's newest part. Nothing is read while nobody asks: whoever asks first
 * has the newest 20,000 commits read, at most; from then on each look reads what is new, unless more came meanwhile.
 */
export class LogStatistics {
  readonly #parts: StatisticsParts
  #counted: Counted | undefined
  #told: { readonly statistics: LogoutStatistics; readonly at: number } | undefined
  #looking: Promise<LogoutStatistics> | undefined

  constructor(parts: StatisticsParts) {
    this.#parts = parts
  }

  /** @throws whatever the store throws: the next look goes on */
  look(): Promise<LogoutStatistics> {
    const { clock } = this.#parts
    if (this.#told && clock.monotonic() - this.#told.at < FRESH_MS) return Promise.resolve(this.#told.statistics)
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #look(): Promise<LogoutStatistics> {
    const { store, clock } = this.#parts
    const end = await store.end()
    const isFar = this.#counted === undefined || end - this.#counted.position > MOST_COMMITS
    if (isFar) this.#counted = await this.#begin(end)
    const counted = this.#counted as Counted
    for (let isMore = true; isMore && counted.position < end; ) {
      const page = await store.readAll({ after: counted.position, limit: READ_SIZE })
      const settled = this.#settled(counted.position, page)
      await this.#learnEnds(counted.fold, settled)
      for (const commit of settled) counted.fold.take(commit, clock.now())
      counted.position = settled.at(-1)?.position ?? counted.position
      isMore = settled.length === READ_SIZE
    }
    const statistics = counted.fold.told(counted.coveredFrom, clock.now())
    this.#told = { statistics, at: clock.monotonic() }
    return statistics
  }

  async #begin(end: number): Promise<Counted> {
    const { store, clock, issuer, waiting, configured } = this.#parts
    const inWindow = (await positionAt(store, clock.now() - WINDOW_MS, end)) - 1
    const position = Math.max(inWindow, end - MOST_COMMITS)
    const isCut = position > inWindow
    const [first] = isCut ? await store.readAll({ after: position, limit: 1 }) : []
    return { fold: new StatisticsFold(issuer, waiting, configured), coveredFrom: first?.at, position }
  }

  /** Up to the first position at which a commit may still come. */
  #settled(after: number, page: readonly Commit[]): Commit[] {
    const now = this.#parts.clock.now()
    let expected = after + 1
    const settled: Commit[] = []
    for (const commit of page) {
      if (commit.position > expected && now - commit.at < HOLE_MS) break
      settled.push(commit)
      expected = commit.position + 1
    }
    return settled
  }

  /** When sessions ended whose RPs have confirmed only now: those took longest, and would be missing in the percentiles. */
  async #learnEnds(fold: StatisticsFold, commits: readonly Commit[]): Promise<void> {
    const unknown = fold.unknownEnds(commits).slice(0, MOST_LOOKUPS)
    await inParallel(unknown, LOOKUPS_AT_ONCE, async (position) => {
      const [commit] = await this.#parts.store.readAll({ after: position - 1, limit: 1 })
      if (commit?.position === position) fold.learnEnd(position, commit.at)
    })
  }
}
