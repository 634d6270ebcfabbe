import type {
  Appended,
  Commit,
  EventStore,
  IndexEntry,
  IndexPlace,
  IndexTable,
  NewEvent,
  NewIndexEntry,
} from '../../../lib/index.ts'
import { clearTextOf } from '../recording/clear-text.ts'
import { PAGE_SIZE, pagesOf } from '../recording/pages.ts'
import { isStoreUnavailable } from '../work/store-unavailable.ts'
import { PLANNER } from './planner.ts'

/** A commit that could not be planned: the logouts that it causes are not told until it is planned again. */
export interface ParkedCommit {
  /** Its position in the log. */
  readonly position: number
  /** When it was parked, milliseconds since 1970. */
  readonly at: number
  /** What went wrong. */
  readonly failureReason: string
}

/** What became of parked commits that were planned again. */
export interface ParkedOutcome {
  /** How many were planned. */
  readonly planned: number
  /** How many of those that were tried are still parked. */
  readonly parked: number
}

/** Some of the parked commits. */
interface ParkedPage {
  readonly commits: readonly ParkedCommit[]
  readonly looked: number
  /** Where they go on. */
  readonly next?: IndexPlace
}

interface Listing {
  readonly limit?: number
  readonly signal?: AbortSignal
}

/** What parked commits are kept and planned with. */
export interface ParkedCommitsParts {
  readonly store: EventStore
  readonly issuer: string
  readonly plan: (commits: readonly Commit[]) => Promise<void>
}

const STREAM = `parked:${PLANNER}`

/** The index of those that are parked now: what was parked once may be ten thousand times as much. */
const INDEX = 'parked_commits'
const PARKED = 'parked'

/** There once what the log told before there was an index is in it. */
const COMPLETE = 'complete'

/** Whether the event says that a commit was parked, or planned after that. */
export const isParkedEvent = ({ stream }: Pick<NewEvent, 'stream'>): boolean => stream === STREAM

/** The positions of commits that are parked now; at most so many of them. */
export async function parkedPositions(store: EventStore, most: number): Promise<readonly number[]> {
  const [entries, complete] = await Promise.all([
    store.index(INDEX).list({ key: PARKED, limit: most }),
    store.index(INDEX).list({ key: COMPLETE, limit: 1 }),
  ])
  // An index that was dropped knows of none: as many as can be may be parked.
  const isKnown = complete.length > 0 || (await store.latest(STREAM)) === undefined
  return isKnown ? entries.map(({ id }) => Number(id)) : new Array<number>(most).fill(0)
}

/**
 * The commits that the planner could not plan, as the log tells: which they are, and which of them were planned since.
 * All processes plan for all issuers of a log, so they are the log's, not one issuer's.
 *
 * The log is written first, then the index. Where a process dies in between, the commit is parked once more, since its
 * batch comes again; or one that was planned stays listed, and is planned again, which does no harm.
 */
export class ParkedCommits {
  readonly #parts: ParkedCommitsParts
  #completing: Promise<void> | undefined

  constructor(parts: ParkedCommitsParts) {
    this.#parts = parts
  }

  async park({ position }: Pick<Commit, 'position'>, error: unknown): Promise<void> {
    const data = { position, failure_reason: reasonOf(error) }
    const { position: parkedAt } = await this.#record({ stream: STREAM, type: 'planner.commit_parked', data }, 'system')
    await this.#index.put([entryOf(position, parkedAt)])
  }

  /** Those that are parked now, the last parked first. */
  async *list({ limit = Number.POSITIVE_INFINITY, signal }: Listing = {}): AsyncGenerator<ParkedCommit, void> {
    await this.#complete()
    let left = limit
    for (let after: IndexEntry | undefined; left > 0; ) {
      const most = Math.min(PAGE_SIZE, left)
      const page = await this.#index.list({ key: PARKED, limit: most, ...(after && { after }) })
      for (const entry of page) {
        if (signal?.aborted) return
        yield* await this.#told(entry)
      }
      if (page.length < most) return
      left -= page.length
      after = page.at(-1)
    }
  }

  /** Some of them, from a place on. */
  async page(limit: number, after?: IndexPlace): Promise<ParkedPage> {
    await this.#complete()
    const entries = await this.#index.list({ key: PARKED, limit, ...(after && { after }) })
    const commits = (await Promise.all(entries.map((entry) => this.#told(entry)))).flat()
    const last = entries.length < limit ? undefined : entries.at(-1)
    return { commits, looked: entries.length, ...(last && { next: { first: last.first, id: last.id } }) }
  }

  /** How many are parked now, counted up to so many. */
  async count(most: number): Promise<number> {
    await this.#complete()
    return (await this.#index.list({ key: PARKED, limit: most })).length
  }

  /**
   * Plans them again, or the one at this position.
   *
   * @throws whatever the store throws
   */
  async retry(
    { actor, position }: { readonly actor: string; readonly position?: number },
    signal?: AbortSignal,
  ): Promise<ParkedOutcome> {
    let planned = 0
    let parked = 0
    for await (const one of this.list(signal && { signal })) {
      if (position !== undefined && one.position !== position) continue
      if (await this.#planAgain(one, actor)) planned += 1
      else parked += 1
    }
    return { planned, parked }
  }

  async #planAgain({ position, failureReason }: ParkedCommit, actor: string): Promise<boolean> {
    const { store, plan } = this.#parts
    const commits = await store.readAll({ after: position - 1, limit: 1 })
    try {
      await plan(commits.filter((commit) => commit.position === position))
    } catch (error) {
      if (isStoreUnavailable(error)) throw error
      if (reasonOf(error) !== failureReason) await this.park({ position }, error)
      return false
    }
    const planned = await this.#record({ stream: STREAM, type: 'planner.commit_planned', data: { position } }, actor)
    await this.#index.remove([{ id: String(position), position: planned.position }])
    return true
  }

  #record(event: NewEvent, actor: string): Promise<Appended> {
    return this.#parts.store.append({ events: [event], meta: { instance: this.#parts.issuer, actor } })
  }

  /** What the log says of it. */
  async #told({ id, position }: IndexEntry): Promise<ParkedCommit[]> {
    const [commit] = await this.#parts.store.readAll({ after: position - 1, limit: 1 })
    const parked = commit?.events.find(({ stream, data }) => stream === STREAM && String(data['position']) === id)
    if (!commit || !parked) return []
    return [{ position: Number(id), at: commit.at, failureReason: String(parked.data['failure_reason']) }]
  }

  /** Once in a process: an index that is new, or was dropped, is made from the log. */
  #complete(): Promise<void> {
    this.#completing ??= this.#fill().catch((error) => {
      this.#completing = undefined
      throw error
    })
    return this.#completing
  }

  async #fill(): Promise<void> {
    if ((await this.#index.list({ key: COMPLETE, limit: 1 })).length > 0) return
    for await (const page of pagesOf(this.#parts.store, [STREAM], { order: 'oldest', size: PAGE_SIZE })) {
      for (const { position: at, events } of page) {
        for (const { type, data } of events) {
          const position = Number(data['position'])
          if (type === 'planner.commit_parked') await this.#index.put([entryOf(position, at)])
          else await this.#index.remove([{ id: String(position), position: at }])
        }
      }
    }
    await this.#index.put([{ id: COMPLETE, keys: [COMPLETE], position: 1 }])
  }

  get #index(): IndexTable {
    return this.#parts.store.index(INDEX)
  }
}

/** @param parkedAt - the position of the commit that says so */
function entryOf(position: number, parkedAt: number): NewIndexEntry {
  return { id: String(position), keys: [PARKED], position: parkedAt }
}

/** What went wrong, as a store can keep it. */
function reasonOf(error: unknown): string {
  const failureReason = error instanceof Error ? error.message : String(error)
  return clearTextOf(failureReason)
}
