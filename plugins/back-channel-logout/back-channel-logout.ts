import {
  configuredGates,
  type FeatureGates,
  type Host,
  OptionInvalidError,
  type Plugin,
  ProviderUnfitError,
} from '../../lib/index.ts'
import { BrokenClients } from './clients/broken-clients.ts'
import { withBackChannelLogout } from './clients/client-metadata.ts'
import { Deliveries } from './delivery/deliveries.ts'
import { type DeliveryOptions, type DeliveryPolicy, policyOf } from './delivery/delivery-policy.ts'
import { hideFromDiscovery } from './discovery.ts'
import type { Network } from './network/network.ts'
import { internalsOf } from './provider-internals.ts'
import { type Receipt, receiptOf } from './receipts/receipt.ts'
import { fold } from './recording/session-logout.ts'
import { sessionLogoutStream } from './recording/session-logout-events.ts'
import { BackChannelObserver } from './recording/session-observer.ts'

/** How back-channel logout is set up. All optional. */
export interface BackChannelLogoutOptions {
  /** Whether it is on. Off: nothing is registered, nothing is sent, discovery does not announce it. Default: on. */
  readonly enabled?: boolean
  /** Asked at each use instead of `enabled`: a gate may open and close while the process runs. */
  readonly gates?: FeatureGates
  /** How deliveries are tried. */
  readonly delivery?: DeliveryOptions
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

/** From one start to the next stop. */
interface Running {
  readonly deliveries: Deliveries
  readonly started: Promise<void>
  stopped: Promise<void> | undefined
}

/** The plugin, and what it can be asked. */
export class BackChannelLogout implements Plugin {
  readonly name = 'back_channel_logout'
  readonly observer: BackChannelObserver = new BackChannelObserver()
  readonly #options: BackChannelLogoutOptions
  readonly #policy: DeliveryPolicy
  readonly #gates: FeatureGates
  readonly #brokenClients = new BrokenClients()
  #host: Host | undefined
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
    await this.#running?.stopped
    this.#assertMine(host)
    this.#running ??= this.#begin(host)
    try {
      await this.#running.started
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    const running = this.#running
    if (!running) return
    running.stopped ??= running.deliveries.stop().finally(() => {
      this.#running = undefined
    })
    await running.stopped
  }

  /** Its requests are observed in the name of its issuer from the first start on, also while it is stopped. */
  #assertMine({ provider, store }: Host): void {
    if (!this.#host || (this.#host.provider === provider && this.#host.store === store)) return
    throw new ProviderUnfitError(
      `this back-channel logout is that of ${this.#host.provider.issuer}: give each eventSourced() one of its own`,
    )
  }

  #begin(host: Host): Running {
    const provider = internalsOf(host.provider)
    const { store, logger } = host
    const inside = new Set(this.#options.allowInternal)
    const development = this.#development
    const isOn = (): boolean => this.#isOn()
    this.#host = host
    // The session's end is recorded by what writes the session. Success here means: accepted.
    provider.Client.prototype.backchannelLogout = async () => {}
    this.#brokenClients.attach(provider, logger)
    this.observer.attach({ provider, keys: store.keys, logger, development, isOn })
    const deliveries = new Deliveries({
      host,
      provider,
      policy: this.#policy,
      development,
      isInside: (clientId) => inside.has(clientId),
      isOn,
      network: this.#options.network,
    })
    return { deliveries, started: deliveries.start(), stopped: undefined }
  }

  /** Which RP confirmed the end of a session, which is pending, which failed. Nothing ended yet: no ends. */
  async receipt(sessionUid: string): Promise<Receipt> {
    if (!this.#running || !this.#host)
      throw new ProviderUnfitError('back-channel logout is not started: call start() of eventSourced() first')
    return receiptOf(fold(sessionUid, await this.#host.store.read(sessionLogoutStream(sessionUid))))
  }

  #isOn(): boolean {
    return this.#gates.isOn('back_channel_logout')
  }

  get #development(): boolean {
    return this.#options.development ?? false
  }
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
