import type { Commit, EventStore, NewEvent } from '../../../lib/index.ts'
import { PAGE_SIZE, pagesOf } from '../recording/pages.ts'
import { PLANNER } from './planner.ts'

/** A commit that could not be planned: the logouts that it causes are not told until it is planned again. */
export interface ParkedCommit {
  /** Its position in the log. */
  readonly position: number
  /** When it was parked, milliseconds since 1970. */
  readonly at: number
  /** What went wrong. */
  readonly why: string
}

/** What parked commits are kept and planned with. */
export interface ParkedCommitsParts {
  readonly store: EventStore
  readonly issuer: string
  readonly plan: (commits: readonly Commit[]) => Promise<void>
}

const STREAM = `parked:${PLANNER}`

/** So much of the reason is kept, in UTF-16 code units. */
const WHY_CHARS = 1_000

/**
 * The commits that the planner could not plan, as the log tells: which they are, and which of them were planned since.
 * All processes plan for all issuers of a log, so they are the log's, not one issuer's.
 */
export class ParkedCommits {
  readonly #parts: ParkedCommitsParts

  constructor(parts: ParkedCommitsParts) {
    this.#parts = parts
  }

  async park({ position }: Commit, error: unknown): Promise<void> {
    const why = error instanceof Error ? error.message : String(error)
    const kept = why.slice(0, WHY_CHARS).replace(/\p{Surrogate}/gu, '\ufffd')
    await this.#record({ stream: STREAM, type: 'planner.commit_parked', data: { position, why: kept } }, 'system')
  }

  /** Those that are parked now, the last parked first. */
  async *list(signal?: AbortSignal): AsyncGenerator<ParkedCommit, void> {
    const { store } = this.#parts
    const told = new Set<unknown>()
    const to = await store.end()
    for await (const page of pagesOf(store, [STREAM], { from: 1, to, order: 'newest', size: PAGE_SIZE })) {
      for (const { at, events } of page) {
        for (const { type, data } of events) {
          if (signal?.aborted) return
          if (told.has(data['position'])) continue // what came later counts
          told.add(data['position'])
          if (type === 'planner.commit_parked')
            yield { position: Number(data['position']), at, why: String(data['why']) }
        }
      }
    }
  }

  /**
   * Plans them again, or the one at this position.
   *
   * @returns how many were planned, and how many are still parked, of those that were tried
   * @throws whatever the store throws
   */
  async retry(
    { actor, position }: { readonly actor: string; readonly position?: number },
    signal?: AbortSignal,
  ): Promise<{ readonly planned: number; readonly parked: number }> {
    let planned = 0
    let parked = 0
    for await (const one of this.list(signal)) {
      if (position !== undefined && one.position !== position) continue
      if (await this.#planAgain(one, actor)) planned += 1
      else parked += 1
    }
    return { planned, parked }
  }

  async #planAgain({ position, why }: ParkedCommit, actor: string): Promise<boolean> {
    const { store, plan } = this.#parts
    const commits = await store.readAll({ after: position - 1, limit: 1 })
    try {
      await plan(commits.filter((commit) => commit.position === position))
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (message !== why) await this.park({ ...(commits[0] as Commit), position }, error)
      return false
    }
    await this.#record({ stream: STREAM, type: 'planner.commit_planned', data: { position } }, actor)
    return true
  }

  async #record(event: NewEvent, actor: string): Promise<void> {
    await this.#parts.store.append({ events: [event], meta: { instance: this.#parts.issuer, actor } })
  }
}
