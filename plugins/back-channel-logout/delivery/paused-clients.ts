import {
  EventTypeUnknownError,
  type OperatorChange,
  type OperatorsState,
  ProviderUnfitError,
} from '../../../lib/index.ts'
import { assertActor, assertClearText, assertKnown } from '../recording/criteria.ts'

/** The kind of operators' state that pauses are: the stream is `delivery_pause:instance:<issuer>`. */
const PAUSE = 'delivery_pause'

type PauseEventType = 'delivery_pause.paused' | 'delivery_pause.resumed'

/** Which RP. */
export interface PauseTarget {
  readonly client: string
}

/** Who pauses or resumes. */
export interface PauseOptions {
  /** Who does it: an operator's name, a ticket. Kept in the log. */
  readonly actor: string
}

/** An RP that nothing is sent to for now. */
export interface PausedClient {
  readonly clientId: string
  readonly actor: string
  /** When that was recorded, milliseconds since 1970. */
  readonly at: number
}

/** The RPs that operators have paused: kept in the log, followed by every process of the issuer. */
export class PausedClients {
  #operators: OperatorsState | undefined
  #unfollow: (() => void) | undefined
  #paused: ReadonlyMap<string, PausedClient> = new Map()
  #ids: ReadonlySet<string> = new Set()
  readonly #onChange: () => void

  /** @param onChange - called when an RP may have been resumed */
  constructor(onChange: () => void) {
    this.#onChange = onChange
  }

  /** Follows what operators say. Resolves when what they have said before is known. */
  async start(operators: OperatorsState): Promise<void> {
    this.#operators = operators
    this.#unfollow ??= operators.follow(PAUSE, (acts) => this.#hear(acts))
    await operators.refresh()
  }

  stop(): void {
    this.#unfollow?.()
    this.#unfollow = undefined
  }

  get ids(): ReadonlySet<string> {
    return this.#ids
  }

  async record(type: PauseEventType, target: PauseTarget, options: PauseOptions): Promise<void> {
    assertKnown(target, ['client'])
    assertClearText('client', target.client)
    assertKnown(options, ['actor'])
    assertActor(options.actor)
    const act = { level: 'instance', type, data: { client_id: target.client }, actor: options.actor } as const
    await this.#started().record(PAUSE, act)
  }

  /** With what any process had recorded before the call; by client id. */
  async list(): Promise<PausedClient[]> {
    await this.#started().refresh()
    return [...this.#paused.values()].toSorted((a, b) => (a.clientId < b.clientId ? -1 : 1))
  }

  #hear(acts: readonly OperatorChange[]): void {
    const paused = new Map<string, PausedClient>()
    for (const { level, type, data, actor, at } of acts) {
      const clientId = String(data['client_id'])
      if (isPause(type, level)) paused.set(clientId, { clientId, actor, at })
      else paused.delete(clientId)
    }
    const before = this.#ids
    this.#paused = paused
    this.#ids = new Set(paused.keys())
    if ([...before].some((clientId) => !paused.has(clientId))) this.#onChange()
  }

  #started(): OperatorsState {
    if (!this.#unfollow || !this.#operators)
      throw new ProviderUnfitError('back-channel logout is not started: call start() of eventSourced() first')
    return this.#operators
  }
}

function isPause(type: string, level: string): boolean {
  switch (type as PauseEventType) {
    case 'delivery_pause.paused':
      return true
    case 'delivery_pause.resumed':
      return false
    default:
      throw new EventTypeUnknownError(`${PAUSE}:${level}`, type)
  }
}
