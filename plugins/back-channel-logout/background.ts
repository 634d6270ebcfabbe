import { Consumer, type Host, type Logger, type NewWork, type WorkTable } from '../../lib/index.ts'
import type { AttemptParts } from './delivery/attempt.ts'
import { type Delivery, fromBody } from './delivery/delivery.ts'
import { type DeliveryPolicy, longestTimeoutMs } from './delivery/delivery-policy.ts'
import { Dispatcher } from './delivery/dispatcher.ts'
import { PLANNER, plan } from './delivery/planner.ts'
import type { EndingWork } from './ending/ending-work.ts'
import { guardedNetwork, type Network } from './network/network.ts'
import type { OidcProvider } from './provider-internals.ts'
import { roundOf } from './recording/session-logout-events.ts'
import { inTime } from './work/in-time.ts'
import { lanePrefix } from './work/lanes.ts'
import { STOP_MS } from './work/work-loop.ts'

/** What deliveries are made and sent with. */
export interface BackgroundParts {
  readonly host: Host
  readonly provider: OidcProvider
  readonly policy: DeliveryPolicy
  readonly development: boolean
  readonly isInside: AttemptParts['isInside']
  readonly isOn: () => boolean
  /** Ends of sessions that come by themselves, or by order: planned from the same commits. */
  readonly endings: EndingWork
  /** The deployment's own, which is not closed here. Default: a guarded one. */
  readonly network: Network | undefined
}

/** What runs beside the requests, from one start to the next stop: the planner, the dispatcher, and their network. */
export class Background {
  readonly #parts: BackgroundParts
  readonly #work: WorkTable
  readonly #network: Network
  readonly #planner: Consumer
  readonly #dispatcher: Dispatcher

  constructor(parts: BackgroundParts) {
    const { host, provider, policy, development, isInside, isOn } = parts
    const { store, clock, logger } = host
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
      policy,
      development,
      isInside,
      isOn,
      random: Math.random,
    })
    this.#planner = new Consumer({
      store,
      name: PLANNER,
      clock,
      logger,
      handle: async (commits) => {
        await parts.endings.plan(commits)
        const owed = await plan(store, commits, clock.now())
        if (owed.length === 0) return
        await this.#work.add(owed)
        tellOfPlanned(logger, owed)
        this.#dispatcher.wake()
      },
    })
  }

  async start(): Promise<void> {
    const { host, provider } = this.#parts
    // The cut-over: nobody is told of what ended before the first start.
    await this.#planner.start(await host.store.end())
    await tellOfLeftovers(host.logger, this.#work, provider.issuer)
    await Promise.all([this.#dispatcher.start(), this.#parts.endings.start()])
  }

  /** Also stops what has started only in part. */
  async stop(): Promise<void> {
    const { host, network, endings } = this.#parts
    const planner = inTime(this.#planner.stop(), host.clock, STOP_MS)
    const [planned] = await Promise.all([planner, this.#dispatcher.stop(), endings.stop()])
    if (!planned) host.logger.warn({}, 'the planner could not be ended in time, the store does not answer')
    if (!network) await this.#network.close()
  }
}

/** A line for each session: why it ended, and who is being told; or told again. */
function tellOfPlanned(logger: Logger, owed: readonly NewWork[]): void {
  for (const [session, deliveries] of bySessionUid(owed)) {
    const reason = deliveries[0]?.reason
    const rps = deliveries.filter((delivery) => roundOf(delivery) === 0).map(({ clientId }) => clientId)
    if (rps.length > 0) logger.info({ session, reason, rps }, `a session ended (${reason}): telling ${rps.join(', ')}`)
    const again = deliveries.filter((delivery) => roundOf(delivery) > 0).map(({ clientId }) => clientId)
    if (again.length > 0)
      logger.info({ session, reason, rps: again }, `dead letters are replayed: telling ${again.join(', ')} again`)
  }
}

function bySessionUid(owed: readonly NewWork[]): Map<string, Delivery[]> {
  const found = new Map<string, Delivery[]>()
  for (const delivery of owed.map(({ body }) => fromBody(body))) {
    found.set(delivery.sessionUid, [...(found.get(delivery.sessionUid) ?? []), delivery])
  }
  return found
}

async function tellOfLeftovers(logger: Logger, work: WorkTable, issuer: string): Promise<void> {
  const lanes = [...(await work.openByLane())].filter(([lane]) => lane.startsWith(lanePrefix(issuer)))
  const deliveries = lanes.reduce((sum, [, open]) => sum + open, 0)
  if (deliveries > 0)
    logger.info(
      { deliveries },
      'logout tokens are owed from before the start: they go on, within 15 s where a process that died had them in hand',
    )
}
