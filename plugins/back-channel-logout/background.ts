import { inTime } from '../../lib/in-time.ts'
import {
  type Appended,
  Consumer,
  componentLogger,
  type Host,
  type NewEvent,
  noTelemetry,
  type WorkTable,
} from '../../lib/index.ts'
import type { ToldClients } from './clients/told-clients.ts'
import type { AttemptParts } from './delivery/attempt.ts'
import { type DeliveryPolicy, longestTimeoutMs } from './delivery/delivery-policy.ts'
import { Dispatcher } from './delivery/dispatcher.ts'
import type { ParkedCommits } from './delivery/parked-commits.ts'
import { PlanAtOnce } from './delivery/plan-at-once.ts'
import { PLANNER } from './delivery/planner.ts'
import { Planning } from './delivery/planning.ts'
import { logBacklog } from './delivery/planning-lines.ts'
import type { EndingWork } from './ending/ending-work.ts'
import type { Health } from './health.ts'
import { LogoutGauges } from './logout-gauges.ts'
import { guardedNetwork, type Network } from './network/network.ts'
import type { OidcProvider } from './provider-internals.ts'
import { STOP_MS } from './work/work-loop.ts'

/** What deliveries are made and sent with. */
export interface BackgroundParts {
  readonly host: Host
  readonly provider: OidcProvider
  readonly clients: ToldClients
  /** The clients of the provider's configuration. */
  readonly configured: readonly string[]
  readonly policy: DeliveryPolicy
  readonly development: boolean
  readonly isInside: AttemptParts['isInside']
  readonly isOn: () => boolean
  /** Clients to which operators have nothing sent for now. */
  readonly paused: () => ReadonlySet<string>
  /** Ends of sessions that come by themselves, or by a termination job: planned from the same commits. */
  readonly endings: EndingWork
  /** The deployment's own, which is not closed here. Default: a guarded one. */
  readonly network: Network | undefined
  readonly health: () => Promise<Health>
}

/** What runs beside the requests, from one start to the next stop: the planner, the dispatcher, and their network. */
export class Background {
  readonly #parts: BackgroundParts
  readonly #work: WorkTable
  readonly #network: Network
  readonly #planning: Planning
  readonly #planner: Consumer
  readonly #atOnce: PlanAtOnce
  readonly #dispatcher: Dispatcher
  #retrying: Promise<void> = Promise.resolve()
  #endOfGauges: (() => void) | undefined
  readonly #stopping = new AbortController()

  constructor(parts: BackgroundParts) {
    const { host, provider, clients, configured, policy, development, isInside, isOn, paused } = parts
    const { store, clock, logger, telemetry = noTelemetry } = host
    this.#parts = parts
    this.#network = parts.network ?? guardedNetwork({ timeoutMs: longestTimeoutMs(policy) })
    this.#work = store.work('deliveries')
    this.#dispatcher = new Dispatcher({
      provider,
      store,
      keys: store.keys,
      work: this.#work,
      network: this.#network,
      clock,
      logger,
      heartbeat: host.heartbeat,
      telemetry,
      configured,
      policy,
      development,
      isInside,
      isOn,
      paused,
      random: Math.random,
    })
    this.#planning = new Planning({
      store,
      clock,
      logger,
      issuer: provider.issuer,
      clients,
      accountKeys: host.accountKeys,
      work: this.#work,
      policy,
      telemetry,
      planEndings: (commits) => parts.endings.plan(commits),
      onPlanned: () => this.#dispatcher.wake(),
    })
    this.#planner = new Consumer({
      store,
      name: PLANNER,
      clock,
      logger,
      heartbeat: host.heartbeat,
      handle: (commits) => this.#planning.handle(commits),
    })
    this.#atOnce = new PlanAtOnce(
      (commits) => this.#planning.planAtOnce(commits),
      () => this.#planner.isHolder,
    )
  }

  /** Why the planner has stopped by itself, if it has. */
  get plannerFailure(): Error | undefined {
    return this.#planner.failure
  }

  /** Commits that could not be planned. */
  get parked(): ParkedCommits {
    return this.#planning.parked
  }

  /** A commit of this process is stored: the ends in it are planned at once. Neither throws nor waits. */
  committed(appended: Appended, events: readonly NewEvent[]): void {
    this.#atOnce.committed(appended, events)
  }

  async start(): Promise<void> {
    const { host, provider } = this.#parts
    // The cut-over: nobody is told of what ended before the first start.
    await this.#planner.start(await host.store.end())
    await logBacklog(componentLogger(host.logger, 'dispatcher'), this.#work, provider.issuer)
    await Promise.all([this.#dispatcher.start(), this.#parts.endings.start()])
    this.#retrying = this.#retryParked()
    const { configured, health } = this.#parts
    const { clock } = host
    const gauges = new LogoutGauges({ issuer: provider.issuer, work: this.#work, clock, configured, health })
    this.#endOfGauges = host.telemetry?.observe(() => gauges.read())
  }

  /** What logout tokens are sent with. */
  get network(): Network {
    return this.#network
  }

  get dispatcher(): Dispatcher {
    return this.#dispatcher
  }

  /** Also stops what has started only in part. */
  async stop(): Promise<void> {
    const { host, network, endings } = this.#parts
    this.#stopping.abort()
    this.#endOfGauges?.()
    this.#planning.stop()
    const planning = Promise.all([this.#planner.stop(), this.#atOnce.stop(), this.#retrying])
    const planner = inTime(planning, host.clock, STOP_MS)
    const [planned] = await Promise.all([planner, this.#dispatcher.stop(), endings.stop()])
    const logger = componentLogger(host.logger, 'planner')
    if (!planned)
      logger.warn({ event: 'planner_not_stopped' }, 'the planner could not be ended in time, the store does not answer')
    if (!network) await this.#network.close()
  }

  /** A newer version may know what an older one could not plan. */
  async #retryParked(): Promise<void> {
    const logger = componentLogger(this.#parts.host.logger, 'planner')
    try {
      const { planned } = await this.parked.retry({ actor: 'system' }, this.#stopping.signal)
      if (planned > 0) logger.info({ event: 'parked_commits_planned', planned }, 'parked commits were planned')
    } catch (err) {
      logger.warn({ event: 'parked_commits_kept', err }, 'parked commits could not be tried again; retryParked() does')
    }
  }
}
