import {
  Consumer,
  configuredGates,
  type FeatureGates,
  type Host,
  type Logger,
  type NewWork,
  OptionInvalidError,
  type Plugin,
  ProviderUnfitError,
  type WorkTable,
} from '../../lib/index.ts'
import { BrokenClients } from './broken-clients.ts'
import { withBackChannelLogout } from './client-metadata.ts'
import { type Delivery, fromBody } from './delivery.ts'
import { type DeliveryPolicy, policyOf } from './delivery-policy.ts'
import { hideFromDiscovery } from './discovery.ts'
import { Dispatcher } from './dispatcher.ts'
import { guardedNetwork, type Network } from './network.ts'
import { lanePrefix, PLANNER, plan } from './planner.ts'
import { internalsOf } from './provider-internals.ts'
import { type Receipt, receiptOf } from './receipt.ts'
import { fold } from './session-logout.ts'
import { sessionLogoutStream } from './session-logout-events.ts'
import { BackChannelObserver } from './session-observer.ts'

/** How back-channel logout is set up. All optional. */
export interface BackChannelLogoutOptions {
  /** Whether it is on. Off: nothing is registered, nothing is sent, discovery does not announce it. Default: on. */
  readonly enabled?: boolean
  /** Asked at each use instead of `enabled`: a gate may open and close while the process runs. */
  readonly gates?: FeatureGates
  /** How deliveries are tried. */
  readonly delivery?: Partial<DeliveryPolicy>
  /**
   * Client ids of RPs inside your own network, whose addresses would be refused otherwise. Operators' state: never take
   * it from client metadata, which a client can set for itself.
   */
  readonly allowInternal?: readonly string[]
  /** Allows `http` URIs on loopback addresses. For development only. Default: false. */
  readonly development?: boolean
  /** Replaces the guarded network, and its protection: for a deployment's own egress. */
  readonly network?: Network
}

/**
 * Back-channel logout (OpenID Connect Back-Channel Logout 1.0) that cannot lose a logout: a plugin for `eventSourced()`.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`)
 */
export function backChannelLogout(options: BackChannelLogoutOptions = {}): BackChannelLogout {
  return new BackChannelLogout(options)
}

interface Running {
  readonly host: Host
  readonly planner: Consumer
  readonly dispatcher: Dispatcher
  readonly network: Network
}

/** The plugin, and what it can be asked. */
export class BackChannelLogout implements Plugin {
  readonly name = 'back_channel_logout'
  readonly observer: BackChannelObserver = new BackChannelObserver()
  readonly #options: BackChannelLogoutOptions
  readonly #policy: DeliveryPolicy
  readonly #gates: FeatureGates
  readonly #brokenClients = new BrokenClients()
  #running: Running | undefined

  constructor(options: BackChannelLogoutOptions) {
    assertOptions(options)
    this.#options = options
    this.#policy = policyOf(options.delivery)
    this.#gates = options.gates ?? configuredGates({ back_channel_logout: options.enabled ?? true })
  }

  configure<C extends object>(configuration: C): C {
    return withBackChannelLogout(configuration, this.#development)
  }

  readonly middleware: NonNullable<Plugin['middleware']> = async (ctx, next) => {
    await this.#brokenClients.around(ctx, next)
    if (!this.#isOn()) hideFromDiscovery(ctx)
  }

  async start(host: Host): Promise<void> {
    if (this.#running) return
    const provider = internalsOf(host.provider)
    const { store, clock, logger } = host
    // The session's end is recorded by what writes the session. Success here means: accepted.
    provider.Client.prototype.backchannelLogout = async () => {}
    this.#brokenClients.attach(provider, logger)
    this.observer.attach({
      provider,
      keys: store.keys,
      logger,
      development: this.#development,
      isOn: () => this.#isOn(),
    })
    const network = this.#options.network ?? guardedNetwork({ timeoutMs: this.#policy.timeoutMs })
    const work = store.work('deliveries')
    const inside = new Set(this.#options.allowInternal)
    const dispatcher = new Dispatcher({
      provider,
      store,
      keys: store.keys,
      work,
      network,
      clock,
      logger,
      policy: this.#policy,
      timeoutMs: this.#policy.timeoutMs,
      development: this.#development,
      isInside: (clientId) => inside.has(clientId),
      isOn: () => this.#isOn(),
      random: Math.random,
    })
    const planner = new Consumer({
      store,
      name: PLANNER,
      clock,
      logger,
      handle: async (commits) => {
        const owed = await plan(store, commits, clock.now())
        if (owed.length === 0) return
        await work.add(owed)
        tellOfEnds(logger, owed)
        dispatcher.wake()
      },
    })
    this.#running = { host, planner, dispatcher, network }
    // The cut-over: nobody is told of what ended before the first start.
    await planner.start(await store.end())
    await tellOfLeftovers(logger, work, provider.issuer)
    await dispatcher.start()
  }

  async stop(): Promise<void> {
    const running = this.#running
    if (!running) return
    await running.planner.stop()
    await running.dispatcher.stop()
    if (!this.#options.network) await running.network.close()
    this.#running = undefined
  }

  /** Which RP confirmed the end of a session, which is pending, which failed. Nothing ended yet: no ends. */
  async receipt(sessionUid: string): Promise<Receipt> {
    if (!this.#running)
      throw new ProviderUnfitError('back-channel logout is not started: call start() of eventSourced() first')
    return receiptOf(fold(sessionUid, await this.#running.host.store.read(sessionLogoutStream(sessionUid))))
  }

  #isOn(): boolean {
    return this.#gates.isOn('back_channel_logout')
  }

  get #development(): boolean {
    return this.#options.development ?? false
  }
}

/** A line for each session: why it ended, and who is being told. */
function tellOfEnds(logger: Logger, owed: readonly NewWork[]): void {
  const bySession = bySessionUid(owed)
  for (const [session, deliveries] of bySession) {
    const rps = deliveries.map(({ clientId }) => clientId)
    const reason = deliveries[0]?.reason
    logger.info({ session, reason, rps }, `a session ended (${reason}): telling ${rps.join(', ')}`)
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
  if (deliveries > 0) logger.info({ deliveries }, 'logout tokens are owed from before the start: they are being sent')
}

const OPTIONS: ReadonlySet<string> = new Set([
  'enabled',
  'gates',
  'delivery',
  'allowInternal',
  'development',
  'network',
])

function assertOptions(options: BackChannelLogoutOptions): void {
  for (const option of Object.keys(options)) {
    if (!OPTIONS.has(option)) throw new OptionInvalidError(option, `is not known; known are ${[...OPTIONS].join(', ')}`)
  }
  const { enabled, gates, development, allowInternal, network } = options
  if (enabled !== undefined && typeof enabled !== 'boolean')
    throw new OptionInvalidError('enabled', 'must be true or false')
  if (development !== undefined && typeof development !== 'boolean')
    throw new OptionInvalidError('development', 'must be true or false')
  if (
    allowInternal !== undefined &&
    !(Array.isArray(allowInternal) && allowInternal.every((id) => typeof id === 'string'))
  ) {
    throw new OptionInvalidError('allowInternal', 'must be an array of client ids')
  }
  if (gates !== undefined && typeof gates?.isOn !== 'function')
    throw new OptionInvalidError('gates', 'must have a method `isOn`')
  if (network !== undefined && (typeof network?.post !== 'function' || typeof network.close !== 'function'))
    throw new OptionInvalidError('network', 'must have the methods `post` and `close`')
}
