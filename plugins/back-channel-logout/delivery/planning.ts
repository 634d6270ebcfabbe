import {
  type AccountKeys,
  type Clock,
  type Commit,
  componentLogger,
  type EventStore,
  EventTypeUnknownError,
  type Logger,
  type NewSpan,
  type NewWork,
  noTelemetry,
  type Telemetry,
  type WorkTable,
} from '../../../lib/index.ts'
import type { ToldClients } from '../clients/told-clients.ts'
import { readShortLogouts } from '../recording/histories.ts'
import { LongLogouts } from '../recording/long-logouts.ts'
import { isStoreUnavailable } from '../work/store-unavailable.ts'
import { withDeadlines } from './deadlines.ts'
import { fromBody } from './delivery.ts'
import type { DeliveryPolicy } from './delivery-policy.ts'
import { ParkedCommits } from './parked-commits.ts'
import { type Plan, type PlannedCommit, type PlanParts, plan } from './planner.ts'
import { logPlanned } from './planning-lines.ts'

/** What planning is done with. */
export interface PlanningParts {
  readonly store: EventStore
  readonly clock: Clock
  readonly logger: Logger
  readonly issuer: string
  readonly clients: Pick<ToldClients, 'find'>
  readonly accountKeys: AccountKeys
  /** The deliveries. */
  readonly work: WorkTable
  readonly policy: DeliveryPolicy
  /** Plans ends that come by themselves, or by order, from the same commits. */
  readonly planEndings: (commits: readonly Commit[]) => Promise<void>
  /** Default: nothing is measured. */
  readonly telemetry?: Telemetry
  /** Called when deliveries were made. */
  readonly onPlanned: () => void
}

/** How often a commit that cannot be planned is tried, and the pauses between, in milliseconds. */
const PAUSES_MS: readonly number[] = [100, 400]

/** So many commits about a session are read at most to plan its end at once, and about all sessions that end meanwhile. */
const AT_ONCE = 256
const AT_ONCE_OF_ALL = 10_000

/** So many facts are recorded with one commit. */
const FACTS = 500

/** So many causes of a plan are named in its span. */
const LINKS = 100

/**
 * Plans batches of commits. A commit that cannot be planned is parked with its reason, and the others go on: one person's
 * logout must not stop everybody's.
 */
export class Planning {
  readonly parked: ParkedCommits
  readonly #parts: PlanningParts
  readonly #logouts: LongLogouts
  readonly #stopping = new AbortController()

  constructor(parts: PlanningParts) {
    this.#parts = { ...parts, logger: componentLogger(parts.logger, 'planner') }
    this.#logouts = new LongLogouts(parts.store)
    this.parked = new ParkedCommits({
      store: parts.store,
      issuer: parts.issuer,
      plan: (commits) => this.#plan(commits),
    })
  }

  /** @throws only when the store is away, or this is stopped meanwhile: the batch is to come again */
  async handle(commits: readonly Commit[]): Promise<void> {
    try {
      await this.#plan(commits)
    } catch (error) {
      if (isStoreUnavailable(error)) throw error
      for (const commit of commits) await this.#planOrPark(commit)
    }
  }

  /**
   * Makes the deliveries of ends that this process has just stored; nothing is parked. What is below them in the log may
   * still appear, but for what their sessions stood on: so nothing is remembered of what is read, and sessions of which
   * there is much to read are left to the planner.
   */
  async planAtOnce(commits: readonly PlannedCommit[]): Promise<void> {
    const { store } = this.#parts
    const read = async (uids: Iterable<string>) => {
      const sessions = [...uids]
      const most = Math.min(AT_ONCE * sessions.length, AT_ONCE_OF_ALL)
      return (await readShortLogouts(store, sessions, most)) ?? new Map()
    }
    await this.#deliver(commits, { read }) // the planner logs what is made, which comes to the same
  }

  async #deliver(commits: readonly PlannedCommit[], logouts: PlanParts['logouts']): Promise<readonly NewWork[]> {
    const { issuer, clients, accountKeys, work } = this.#parts
    const now = await work.time()
    const made = await plan({ logouts, issuer, clients, accountKeys }, commits, now)
    if (made.work.length > 0 || made.events.length > 0) await this.#store(made, now)
    // Those of the same commits that can be told are, whatever becomes of this.
    if (made.unreadable) throw made.unreadable
    return made.work
  }

  async #store(made: Plan, now: number): Promise<void> {
    const { store, issuer, policy, work, onPlanned, telemetry = noTelemetry } = this.#parts
    const span: NewSpan = { name: 'plan logouts', kind: 'consumer', isRoot: true, links: tracesOf(made.work) }
    await telemetry.span(span, async (begun) => {
      begun.set({ 'oidc_provider_eventstore.deliveries': made.work.length })
      for (let at = 0; at < made.events.length; at += FACTS) {
        const events = made.events.slice(at, at + FACTS)
        await store.append({ events, meta: { instance: issuer, actor: 'system' } })
      }
      if (made.work.length > 0) {
        await work.add(withDeadlines(made.work, policy, now))
        onPlanned()
      }
    })
  }

  /** Nothing is tried again from now on, nor parked for want of trying. */
  stop(): void {
    this.#stopping.abort()
  }

  async #plan(commits: readonly Commit[]): Promise<void> {
    await this.#parts.planEndings(commits)
    logPlanned(this.#parts.logger, await this.#deliver(commits, this.#logouts))
  }

  async #planOrPark(commit: Commit): Promise<void> {
    const { clock, logger } = this.#parts
    for (let tried = 1; ; tried++) {
      try {
        return await this.#plan([commit])
      } catch (err) {
        if (isStoreUnavailable(err)) throw err
        const pauseMs = PAUSES_MS[tried - 1]
        if (pauseMs !== undefined && !(err instanceof EventTypeUnknownError)) {
          await clock.sleep(pauseMs, this.#stopping.signal)
          if (this.#stopping.signal.aborted) throw err // it comes again with the next start
          continue
        }
        await this.parked.park(commit, err)
        logger.error(
          { event: 'commit_parked', err, position: commit.position },
          'a commit cannot be planned and is parked: logouts that it causes are not told; see parked() and retryParked()',
        )
        return
      }
    }
  }
}

/** The trace contexts of what a plan comes from: a page of commits may hold many ends. */
function tracesOf(work: readonly NewWork[]): string[] {
  const traces = new Set<string>()
  for (const { body } of work) {
    const { trace } = fromBody(body)
    if (trace !== undefined) traces.add(trace)
    if (traces.size >= LINKS) break
  }
  return [...traces]
}
