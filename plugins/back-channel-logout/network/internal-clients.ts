import {
  componentLogger,
  EventTypeUnknownError,
  type Logger,
  type OperatorChange,
  type OperatorsState,
  OptionInvalidError,
  ProviderUnfitError,
  silent,
} from '../../../lib/index.ts'
import { assertClearText } from '../recording/criteria.ts'

/** The kind of operators' state that these permissions are: the stream is `network_permission:instance:<issuer>`. */
const PERMISSION = 'network_permission'

type PermissionEventType = 'network_permission.allowed' | 'network_permission.disallowed'

/** Who allows or disallows. */
export interface PermissionOptions {
  /** Who does it: an operator's name, a ticket. Kept in the log. */
  readonly actor: string
}

/** Whether a client may be inside the network, and who says so. */
export interface InternalClient {
  readonly clientId: string
  readonly allowed: boolean
  readonly from: 'configuration' | 'operator'
  /** Who set it; absent where the configuration did. */
  readonly actor?: string
  /** When that was recorded, milliseconds since 1970. */
  readonly at?: number
}

/** A client of oidc-provider: its metadata in camel case, extra metadata under the name it was registered with. */
export interface ConfigurableClient {
  readonly clientId: string
  readonly [metadata: string]: unknown
}

/** The operators' rule for clients whose ids nobody knows beforehand. Only `true` allows. */
export type InternalClientRule = (client: ConfigurableClient) => boolean

/**
 * Which RPs may be inside the operators' own network: client ids, or a rule of the operators about clients. What an
 * operator said last of a client at run time wins over the configuration. Nothing that a client registers gives the
 * permission by itself, since a client sets its metadata itself.
 */
export class InternalClients {
  readonly #configured: ReadonlySet<string>
  readonly #rule: InternalClientRule | undefined
  #logger: Logger = silent
  #operators: OperatorsState | undefined
  #unfollow: (() => void) | undefined
  #said: ReadonlyMap<string, InternalClient> = new Map()

  constructor(configured: readonly string[] | InternalClientRule) {
    this.#configured = new Set(typeof configured === 'function' ? [] : configured)
    this.#rule = typeof configured === 'function' ? configured : undefined
  }

  /** Follows what operators say. Resolves when what they have said before is known. */
  async start(operators: OperatorsState, logger: Logger = silent): Promise<void> {
    this.#operators = operators
    this.#logger = componentLogger(logger, 'clients')
    this.#unfollow ??= operators.follow(PERMISSION, (acts) => this.#hear(acts))
    await operators.refresh()
  }

  stop(): void {
    this.#unfollow?.()
    this.#unfollow = undefined
  }

  isInside(client: ConfigurableClient): boolean {
    const { clientId } = client
    return this.#said.get(clientId)?.allowed ?? (this.#configured.has(clientId) || this.#isAllowedByRule(client))
  }

  /** A rule that fails allows nothing, and stops no delivery to a public address. */
  #isAllowedByRule(client: ConfigurableClient): boolean {
    if (this.#rule === undefined) return false
    try {
      const allowed: unknown = this.#rule(client)
      if (typeof allowed === 'boolean') return allowed
      Promise.resolve(allowed).catch(() => {}) // nobody else listens to a promise that was not asked for
      throw new OptionInvalidError('allowInternal', 'must return true or false at once')
    } catch (err) {
      this.#logger.error(
        { event: 'allow_internal_failed', client_id: client.clientId, err },
        'the function allowInternal failed; the client counts as one outside the network',
      )
      return false
    }
  }

  /**
   * Lets logout tokens for this client go to addresses inside the network. Resolves when that is stored; it holds in this
   * process then, and in all others of this issuer within about two seconds.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`), ProviderUnfitError (`PROVIDER_UNFIT`) while it is not started
   */
  async allow(clientId: string, options: PermissionOptions): Promise<void> {
    await this.#record('network_permission.allowed', clientId, options)
  }

  /**
   * Takes the permission away, a configured one too.
   *
   * @throws as `allow()` does
   */
  async disallow(clientId: string, options: PermissionOptions): Promise<void> {
    await this.#record('network_permission.disallowed', clientId, options)
  }

  /**
   * Every client of which the configuration or an operator says something, by client id, with what any process had
   * recorded before the call. Clients that a configured rule allows are not among them: it is asked for each delivery.
   *
   * @throws ProviderUnfitError (`PROVIDER_UNFIT`) while it is not started
   */
  async list(): Promise<InternalClient[]> {
    await this.#started().refresh()
    const configured = [...this.#configured].map(
      (clientId): InternalClient => ({ clientId, allowed: true, from: 'configuration' }),
    )
    const all = new Map([...configured.map((client) => [client.clientId, client] as const), ...this.#said])
    return [...all.values()].toSorted((a, b) => (a.clientId < b.clientId ? -1 : 1))
  }

  async #record(type: PermissionEventType, clientId: string, options: PermissionOptions): Promise<void> {
    assertClearText('clientId', clientId)
    const act = { level: 'instance', type, data: { client_id: clientId }, actor: options?.actor } as const
    await this.#started().record(PERMISSION, act)
  }

  #hear(acts: readonly OperatorChange[]): void {
    const said = new Map<string, InternalClient>()
    for (const { level, type, data, actor, at } of acts) {
      const clientId = String(data['client_id'])
      said.set(clientId, { clientId, allowed: isAllowed(type, level), from: 'operator', actor, at })
    }
    this.#said = said
  }

  #started(): OperatorsState {
    if (!this.#unfollow || !this.#operators)
      throw new ProviderUnfitError('back-channel logout is not started: call start() of eventSourced() first')
    return this.#operators
  }
}

function isAllowed(type: string, level: string): boolean {
  switch (type as PermissionEventType) {
    case 'network_permission.allowed':
      return true
    case 'network_permission.disallowed':
      return false
    default:
      throw new EventTypeUnknownError(`${PERMISSION}:${level}`, type)
  }
}
