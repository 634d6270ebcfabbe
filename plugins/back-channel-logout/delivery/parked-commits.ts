import type { Commit, EventStore, NewEvent } from '../../../lib/index.ts'
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

/**
 * The commits that the planner could not plan, as the log tells: which they are, and which of them were planned since.
 * All processes plan for all issuers of a log, so they are the log's, not one issuer's.
 */
export class ParkedCommits {
  readonly #parts: ParkedCommitsParts

  constructor(parts: ParkedCommitsParts) {
    this.#parts = parts
  }

  async park({ position }: Pick<Commit, 'position'>, error: unknown): Promise<void> {
    const data = { position, failure_reason: reasonOf(error) }
    await this.#record({ stream: STREAM, type: 'planner.commit_parked', data }, 'system')
  }

  /** Those that are parked now, the last parked first. */
  async *list({ limit = Number.POSITIVE_INFINITY, signal }: Listing = {}): AsyncGenerator<ParkedCommit, void> {
    const { store } = this.#parts
    let left = limit
    const told = new Set<unknown>()
    const to = await store.end()
    for await (const page of pagesOf(store, [STREAM], { from: 1, to, order: 'newest', size: PAGE_SIZE })) {
      for (const { at, events } of page) {
        for (const { type, data } of events) {
          if (signal?.aborted) return
          if (told.has(data['position'])) continue // what came later counts
          told.add(data['position'])
          if (type !== 'planner.commit_parked') continue
          yield { position: Number(data['position']), at, failureReason: String(data['failure_reason']) }
          left -= 1
          if (left === 0) return
        }
      }
    }
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
    await this.#record({ stream: STREAM, type: 'planner.commit_planned', data: { position } }, actor)
    return true
  }

  async #record(event: NewEvent, actor: string): Promise<void> {
    await this.#parts.store.append({ events: [event], meta: { instance: this.#parts.issuer, actor } })
  }
}

/** What went wrong, as a store can keep it. */
function reasonOf(error: unknown): string {
  const failureReason = error instanceof Error ? error.message : String(error)
  return clearTextOf(failureReason)
}
