import {
  EventTypeUnknownError,
  type OperatorAct,
  type OperatorsState,
  OptionInvalidError,
  ProviderUnfitError,
} from '../../../lib/index.ts'

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

/**
 * Which RPs may be inside the operators' own network. By client id, and operators' state alone: a client could set its
 * metadata for itself. What an operator said last of a client wins over the configuration.
 */
export class InternalClients {
  readonly #configured: ReadonlySet<string>
  #operators: OperatorsState | undefined
  #unfollow: (() => void) | undefined
  #said: ReadonlyMap<string, InternalClient> = new Map()

  constructor(configured: readonly string[]) {
    this.#configured = new Set(configured)
  }

  /** Follows what operators say. Resolves when what they have said before is known. */
  async start(operators: OperatorsState): Promise<void> {
    this.#operators = operators
    this.#unfollow ??= operators.follow(PERMISSION, (acts) => this.#hear(acts))
    await operators.refresh()
  }

  stop(): void {
    this.#unfollow?.()
    this.#unfollow = undefined
  }

  isInside(clientId: string): boolean {
    return this.#said.get(clientId)?.allowed ?? this.#configured.has(clientId)
  }

  /**
   * Lets logout tokens for this client go to addresses inside the network. Resolves when that is stored; it holds in this
   * process then, and in all others of this issuer within about a second.
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
   * recorded before the call.
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
    if (typeof clientId !== 'string' || clientId === '') throw new OptionInvalidError('clientId', 'must be a client id')
    const act = { level: 'instance', type, data: { client_id: clientId }, actor: options?.actor } as const
    await this.#started().record(PERMISSION, act)
  }

  #hear(acts: readonly OperatorAct[]): void {
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
