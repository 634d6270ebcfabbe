import { type Clock, componentLogger, type Logger } from '../../../lib/index.ts'
import { TERMINATION_REASONS } from '../ending/termination-events.ts'
import type { OidcClient, OidcProvider } from '../provider-internals.ts'
import type { Reason } from '../reasons.ts'
import { isClearText } from '../recording/clear-text.ts'
import { isStoreUnavailable } from '../work/store-unavailable.ts'
import { answeredInTime, ClientsSilent } from './answered-in-time.ts'
import { INITIATORS, initiatorsProblem, uriProblem } from './client-metadata.ts'

/** A client that can be told of logouts. */
export interface ToldClient {
  readonly clientId: string
  /** The reasons for which it wants to be told; absent: all. */
  readonly initiators?: readonly Reason[]
  /** The adapter of the clients failed: whether this one is there, and has a URI, is looked up when it is sent to. */
  readonly isUncertain?: true
}

/** What clients are found with. */
export interface ToldClientsParts {
  readonly provider: OidcProvider
  readonly logger: Logger
  readonly clock: Clock
  readonly development: boolean
  /** Whether the operators allow this client to leave out their own reasons. */
  readonly mayFilterOperators: (clientId: string) => boolean
}

/** So many clients are remembered as warned about. */
const WARNED = 10_000

/** An adapter that did not answer is not asked again for so long, in milliseconds: many may be looked up one by one. */
const SILENT_MS = 30_000

/** Knows which clients can be told of logouts, and for which reasons they want to be. */
export class ToldClients {
  readonly #parts: ToldClientsParts
  readonly #warned = new Set<string>()
  /** Until when the adapter is not asked, by the monotonic clock. */
  #silentUntil = Number.NEGATIVE_INFINITY
  #failing = false

  constructor(parts: ToldClientsParts) {
    this.#parts = { ...parts, logger: componentLogger(parts.logger, 'clients') }
  }

  /**
   * The client of this id, if this process knows a usable URI of it. One whose metadata is invalid is warned about. Where
   * an adapter of the application's own fails or does not answer, the client counts as one that is owed a token: nothing
   * says that it is not.
   *
   * @throws whatever the store throws when it is away: that says nothing about the client
   */
  async find(clientId: string): Promise<ToldClient | undefined> {
    const { provider, clock } = this.#parts
    if (clock.monotonic() < this.#silentUntil) return { clientId, isUncertain: true }
    try {
      const client = await answeredInTime(provider.Client.find(clientId), clock)
      this.#failing = false
      return client && this.of(client)
    } catch (err) {
      if (isStoreUnavailable(err)) throw err
      if (isInvalid(err)) {
        this.#warn(clientId, 'it cannot be loaded', err)
        return undefined
      }
      if (err instanceof ClientsSilent) this.#silentUntil = clock.monotonic() + SILENT_MS
      if (!this.#failing)
        this.#parts.logger.warn(
          { event: 'clients_unreadable', client_id: clientId, err },
          'clients cannot be read: whether they are to be told is looked up again when their logout tokens are sent',
        )
      this.#failing = true
      return { clientId, isUncertain: true }
    }
  }

  /** The same of a client that is loaded. */
  of(client: OidcClient): ToldClient | undefined {
    const { clientId, backchannelLogoutUri: uri, [INITIATORS]: initiators } = client
    if (uri === undefined || uri === null) return undefined
    const problem = uriProblem(uri, this.#parts.development)
    if (problem !== undefined || !isClearText(clientId)) {
      this.#warn(
        clientId,
        problem === undefined ? 'no store keeps its client_id' : `its backchannel_logout_uri ${problem}`,
      )
      return undefined
    }
    if (initiators === undefined || initiatorsProblem(initiators) !== undefined) return { clientId }
    const wished = initiators as readonly Reason[]
    const forced = this.#parts.mayFilterOperators(clientId) ? [] : TERMINATION_REASONS
    return { clientId, initiators: [...new Set([...wished, ...forced])] }
  }

  /** Once for each client: a stored client stays as it is until somebody mends it. */
  #warn(clientId: string, why: string, err?: unknown): void {
    if (this.#warned.has(clientId)) return
    if (this.#warned.size >= WARNED) this.#warned.clear()
    this.#warned.add(clientId)
    this.#parts.logger.warn(
      { event: 'client_not_told', client_id: clientId, ...(err !== undefined && { err }) },
      `a client is not told of logouts: ${why}`,
    )
  }
}

/** What oidc-provider throws for stored metadata that it does not take (RFC 7591 section 3.2.2). */
function isInvalid(error: unknown): boolean {
  return (error as { readonly error?: unknown } | undefined)?.error === 'invalid_client_metadata'
}
