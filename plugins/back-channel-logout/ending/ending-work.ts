import {
  AlreadyClaimedError,
  type Commit,
  componentLogger,
  type Logger,
  type Work,
  type WorkTable,
} from '../../../lib/index.ts'
import { completionStream, terminationStream } from '../recording/index-streams.ts'
import { lanePrefix } from '../work/lanes.ts'
import { retryUntilStored } from '../work/retry-until-stored.ts'
import { WorkLoop } from '../work/work-loop.ts'
import { ENDINGS, earlierTime } from './endings.ts'
import { deadlineOf, type Expiry, ExpiryPlanner, expiryLane, lookAt } from './expiry.ts'
import { LiveIndex } from './live-index.ts'
import { Recent } from './recent.ts'
import { terminationJobsStream, toTerminationEvent } from './termination-events.ts'
import { isAtItsBeginning, type TerminationJob, toJobBody } from './termination-job.ts'
import type { TerminationParts } from './termination-parts.ts'
import { TerminationRun } from './termination-run.ts'
import { AT_ONCE, completionOf, terminationJobsIn, terminationWork } from './termination-work.ts'

/** What ends are made with. */
export interface EndingParts extends TerminationParts {
  /** Called when a job got further, and when it is carried out. */
  readonly onProgress: (job: TerminationJob, isCompleted: boolean) => void
}

/** The longest pause between two looks, in milliseconds: what is planned elsewhere is mostly done there. */
const LOOK_MS = 10_000

/** So many sessions that may have expired are looked at, at a time. */
const EXPIRIES_AT_ONCE = 32

/** So many jobs that were given here are remembered until they are begun. */
const BEGUN = 1_000

/** So many jobs are carried out at a time. */
const ORDERS_AT_ONCE = 8

/** So often what has expired is removed from the index of what lives, in milliseconds. */
const SWEEP_MS = 3_600_000

/** When what failed in an unforeseen way is tried again, in milliseconds. */
const SET_ASIDE_MS = 60_000

/** Ends sessions beside the requests: those that expired, and those that a job names. */
export class EndingWork {
  readonly #parts: EndingParts
  readonly #logger: Logger
  readonly #work: WorkTable
  readonly #run: TerminationRun
  readonly #expiries: ExpiryPlanner
  readonly #live: LiveIndex
  #sweptAt: number | undefined
  /** How much the last claim might have taken. */
  #limit = 0
  /** Jobs that were given a moment ago, by this process: nobody has carried them out before. */
  readonly #begun = new Recent(BEGUN)
  readonly #loop: WorkLoop

  constructor(parts: EndingParts) {
    const { host } = parts
    const { clock } = host
    const logger = componentLogger(host.logger, 'terminations')
    this.#logger = logger
    this.#parts = parts
    this.#work = host.store.work(ENDINGS)
    this.#run = new TerminationRun(parts)
    this.#live = new LiveIndex(host.store)
    this.#expiries = new ExpiryPlanner(host.terminator, parts.toleranceSeconds, logger)
    this.#loop = new WorkLoop({
      work: this.#work,
      clock,
      logger,
      heartbeat: host.heartbeat,
      called: 'ends of sessions',
      lookMs: LOOK_MS,
      claims: [(holder, inHand) => this.#claim(holder, inHand.size)],
      isDrained: (claimed) => claimed < this.#limit,
      process: (work) => this.#process(work),
      pause: () => this.#pause(),
    })
  }

  /** After the planner exists: see `LiveIndex`. */
  async start(): Promise<void> {
    await this.#live.begin()
    await this.#loop.start()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }

  /** Makes the work that follows from commits: from the planner, which reads them in order. Twice does no harm. */
  async plan(commits: readonly Commit[]): Promise<void> {
    const { host, provider } = this.#parts
    await this.#live.follow(commits)
    await this.#sweep()
    const { looks, remember } = await this.#expiries.plan(commits, host.clock.now(), provider.issuer)
    const jobs = await Promise.all(commits.map((commit) => terminationJobsIn(host.accountKeys, commit)))
    const work = [...jobs.flat(), ...looks]
    if (work.length > 0) {
      await this.#work.add(work)
      this.#loop.wake()
    }
    remember()
  }

  async #sweep(): Promise<void> {
    const { clock } = this.#parts.host
    if (this.#sweptAt !== undefined && clock.monotonic() - this.#sweptAt < SWEEP_MS) return
    this.#sweptAt = clock.monotonic()
    await this.#live.sweep(await this.#now())
  }

  /** Makes the work of a job at once. The planner would make the same. */
  async begin(job: TerminationJob): Promise<void> {
    this.#begun.add(job.id)
    await this.#retryUntilStored(() => this.#work.add([terminationWork(job, this.#parts.provider.issuer)]))
    this.#loop.wake()
  }

  async #claim(holder: string, inHand: number): Promise<Work[]> {
    const { provider } = this.#parts
    const limit = EXPIRIES_AT_ONCE + ORDERS_AT_ONCE - inHand
    this.#limit = limit
    if (limit <= 0) return []
    return this.#work.claim({
      holder,
      prefix: lanePrefix(provider.issuer),
      now: await this.#now(),
      limit,
      perLane: 1,
      freeSlots: new Map([[expiryLane(provider.issuer), EXPIRIES_AT_ONCE]]),
    })
  }

  async #pause(): Promise<number> {
    const { provider } = this.#parts
    const dueAt = await this.#work.nextDueAt(lanePrefix(provider.issuer))
    return dueAt === undefined ? Number.POSITIVE_INFINITY : Math.max(1, dueAt - (await this.#now()))
  }

  async #process(work: Work): Promise<void> {
    const body = work.body as unknown as TerminationJob | Expiry
    try {
      await (body.kind === 'job' ? this.#runNextPage(work, body) : this.#look(work, body))
    } catch (err) {
      if (this.#loop.stopping.aborted) return // others take it over
      this.#logger.error(
        { event: 'end_set_aside', err, work: work.id },
        'an end of sessions failed in an unforeseen way; it will be tried again',
      )
      await this.#retryUntilStored(async () =>
        this.#work.putBack(work, { dueAt: (await this.#now()) + SET_ASIDE_MS, body: work.body }),
      )
    }
  }

  /** One page of a job. Between pages it is everybody's: another process may go on. */
  async #runNextPage(work: Work, before: TerminationJob): Promise<void> {
    const { host, onProgress } = this.#parts
    if (
      isAtItsBeginning(before) &&
      !this.#begun.delete(before.id) &&
      (await this.#retryUntilStored(() => completionOf(host.store, before.id)))
    ) {
      await this.#finish(work)
      return
    }
    const { job, completed } = await this.#retryUntilStored(() => this.#run.runNextPage(before))
    if (completed) {
      await this.#retryUntilStored(() => this.#complete(job))
      await this.#finish(work)
    } else {
      const change = { dueAt: AT_ONCE, body: toJobBody(job) }
      if (!(await this.#retryUntilStored(() => this.#work.putBack(work, change)))) return // it was taken over meanwhile
    }
    onProgress(job, completed)
  }

  async #complete({ id, actor, tally, failed }: TerminationJob): Promise<void> {
    const { host, provider } = this.#parts
    try {
      await host.store.append({
        events: [
          toTerminationEvent(id, { type: 'termination.completed', ...tally, failed }, [
            terminationJobsStream(provider.issuer),
            completionStream(id),
          ]),
        ],
        claims: [{ kind: 'once', mark: `${terminationStream(id)}#completed` }],
        meta: { instance: provider.issuer, actor },
      })
    } catch (error) {
      if (!(error instanceof AlreadyClaimedError)) throw error
    }
  }

  /** Ends the session if its newest state has expired: a save that is faster wins, and it lives on. */
  async #look(work: Work, { uid }: Expiry): Promise<void> {
    const { host, provider, toleranceSeconds } = this.#parts
    const { terminator } = host
    const now = await this.#retryUntilStored(() => this.#now())
    const ended = await this.#retryUntilStored(() =>
      terminator.end(uid, {
        cause: { reason: 'session_expired', actor: 'system' },
        grants: 'none',
        onlyIf: (session) => (deadlineOf(session, toleranceSeconds) ?? Number.POSITIVE_INFINITY) <= now,
      }),
    )
    if (!ended) {
      const standing = await this.#retryUntilStored(() => terminator.status(uid))
      const [next] = standing && 'live' in standing ? lookAt(standing.live, provider.issuer, toleranceSeconds) : []
      // The clock went back after the claim: this look is yet to come.
      if (next?.id === work.id) {
        await this.#retryUntilStored(() => this.#work.putBack(work, next))
        return
      }
      if (next) await this.#retryUntilStored(() => this.#work.add([next]))
    }
    await this.#finish(work)
  }

  /** By the table's clock, as it is kept: what a process finishes whose own clock is days behind stays for as long. */
  async #finish(work: Work): Promise<void> {
    await this.#retryUntilStored(async () => this.#work.finish(work, await this.#work.time()))
  }

  #now(): Promise<number> {
    return earlierTime(this.#parts.host)
  }

  #retryUntilStored<T>(write: () => Promise<T>): Promise<T> {
    const { clock } = this.#parts.host
    return retryUntilStored(write, { clock, logger: this.#logger }, this.#loop.stopping)
  }
}
