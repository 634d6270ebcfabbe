import type { Appended, NewEvent } from '../../../lib/index.ts'
import type { PlannedCommit } from './planner.ts'

/** So many ends wait to be planned at once. Further ones are left to the planner, which reads the log anyway. */
export const MOST_WAITING = 256

/**
 * Plans the ends that this process commits without waiting for the planner, which may be another process that looks at
 * the log a second later. The planner makes the same deliveries, under the same ids, whatever becomes of this: so what
 * fails here, or waits for too many others, is dropped.
 */
export class PlanAtOnce {
  readonly #plan: (commits: readonly PlannedCommit[]) => Promise<void>
  readonly #isPlanner: () => boolean
  #waiting: PlannedCommit[] = []
  #running: Promise<void> | undefined
  #isStopped = false

  /** @param isPlanner - whether this process is the planner: then the log itself tells it at once */
  constructor(plan: (commits: readonly PlannedCommit[]) => Promise<void>, isPlanner: () => boolean) {
    this.#plan = plan
    this.#isPlanner = isPlanner
  }

  /** Neither throws nor waits. */
  committed({ position, trace }: Appended, events: readonly NewEvent[]): void {
    if (this.#isStopped || this.#waiting.length >= MOST_WAITING || this.#isPlanner()) return
    if (!events.some(({ type }) => type === 'session_logout.terminated')) return
    this.#waiting.push({ position, events, ...(trace !== undefined && { meta: { trace } }) })
    this.#running ??= this.#run()
  }

  /** Resolves when what is being planned is planned; what still waits is left to the planner. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#waiting = []
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const commits = this.#waiting
      this.#waiting = []
      await this.#plan(commits).catch(() => undefined) // the planner tells what is wrong with them
    }
    this.#running = undefined
  }
}
