import { type Host, OptionInvalidError, type Plugin, ProviderUnfitError } from '../../lib/index.ts'
import { BrokenClients } from './clients/broken-clients.ts'
import { withBackChannelLogout } from './clients/client-metadata.ts'
import { Deliveries } from './delivery/deliveries.ts'
import { type DeliveryOptions, type DeliveryPolicy, policyOf } from './delivery/delivery-policy.ts'
import { hideFromDiscovery } from './discovery.ts'
import { InternalClients } from './network/internal-clients.ts'
import type { Network } from './network/network.ts'
import { internalsOf } from './provider-internals.ts'
import type { Receipt } from './receipts/receipt.ts'
import { Receipts } from './receipts/receipts.ts'
import { BackChannelObserver } from './recording/session-observer.ts'

/** How back-channel logout is set up. All optional. */
export interface BackChannelLogoutOptions {
  /**
   * Whether it is on where no operator has set the feature `back_channel_logout`. Off: nothing is registered, nothing is
   * sent, discovery does not announce it, and what is pending waits. Default: true.
   */
  readonly enabled?: boolean
  /**
   * Whether the end of a single session by `id_token_hint` is on where no operator has set the feature
   * `single_session_termination`. Default: false.
   */
  readonly singleSessionTermination?: boolean
  /** How deliveries are tried. */
  readonly delivery?: DeliveryOptions
  /**
   * Client ids of RPs inside your own network, whose addresses would be refused otherwise. `network` of the plugin allows
   * more of them, and fewer, at run time. Operators' state: never take it from client metadata, which a client can set for
   * itself.
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
  readonly receipts: Receipts
  readonly started: Promise<void>
  stopped: Promise<void> | undefined
}

/** The plugin, and what it can be asked. */
export class BackChannelLogout implements Plugin {
  readonly name = 'back_channel_logout'
  readonly observer: BackChannelObserver = new BackChannelObserver()
  readonly features: NonNullable<Plugin['features']>
  /** Which RPs may be inside the operators' own network. */
  readonly network: InternalClients
  readonly #options: BackChannelLogoutOptions
  readonly #policy: DeliveryPolicy
  readonly #brokenClients = new BrokenClients()
  #host: Host | undefined
  #running: Running | undefined

  constructor(options: BackChannelLogoutOptions) {
    assertOptions(options)
    this.#options = options
    this.#policy = policyOf(options.delivery)
    this.network = new InternalClients(options.allowInternal ?? [])
    this.features = {
      back_channel_logout: options.enabled ?? true,
      single_session_termination: options.singleSessionTermination ?? false,
    }
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
      this.network.stop()
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
    const { store, logger, features } = host
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
      isInside: (clientId) => this.network.isInside(clientId),
      isOn,
      network: this.#options.network,
    })
    const { issuer } = provider
    const running: Running = {
      deliveries,
      receipts: new Receipts({ store, issuer, waiting: (from, to) => features.offMs('back_channel_logout', from, to) }),
      started: this.network.start(host.operators).then(() => running.stopped ?? deliveries.start()),
      stopped: undefined,
    }
    return running
  }

  /** Which RP confirmed the end of a session, which is pending, which failed. Nothing ended yet: no ends. */
  async receipt(sessionUid: string): Promise<Receipt> {
    return this.#started().receipts.of(sessionUid)
  }

  #started(): Running {
    if (!this.#running)
      throw new ProviderUnfitError('back-channel logout is not started: call start() of eventSourced() first')
    return this.#running
  }

  #isOn(): boolean {
    return this.#host?.features.isOn('back_channel_logout') ?? false
  }

  get #development(): boolean {
    return this.#options.development ?? false
  }
}

const OPTIONS: ReadonlySet<string> = new Set([
  'enabled',
  'singleSessionTermination',
  'delivery',
  'allowInternal',
  'development',
  'network',
])

function assertOptions(options: BackChannelLogoutOptions): void {
  for (const option of Object.keys(options)) {
    if (!OPTIONS.has(option)) throw new OptionInvalidError(option, `is not known; known are ${[...OPTIONS].join(', ')}`)
  }
  const { allowInternal, network } = options
  for (const option of ['enabled', 'singleSessionTermination', 'development'] as const) {
    if (options[option] !== undefined && typeof options[option] !== 'boolean')
      throw new OptionInvalidError(option, 'must be true or false')
  }
  if (
    allowInternal !== undefined &&
    !(Array.isArray(allowInternal) && allowInternal.every((id) => typeof id === 'string'))
  ) {
    throw new OptionInvalidError('allowInternal', 'must be an array of client ids')
  }
  if (network !== undefined && (typeof network?.post !== 'function' || typeof network.close !== 'function'))
    throw new OptionInvalidError('network', 'must have the methods `post` and `close`')
}
