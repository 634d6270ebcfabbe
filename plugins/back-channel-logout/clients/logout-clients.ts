import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { type Host, isUnreadable, OptionInvalidError, type Payload, type ProviderAdapter } from '../../../lib/index.ts'
import { ModelAdapter } from '../../../lib/provider/adapter.ts'
import type { ClientTest } from '../delivery/client-test.ts'
import type { ClientTester } from '../delivery/client-tester.ts'
import { type DeliveryPolicy, policyFor } from '../delivery/delivery-policy.ts'
import type { InternalClients } from '../network/internal-clients.ts'
import type { OidcClient, OidcProvider } from '../provider-internals.ts'
import { assertActor, assertClearText, assertKnown, assertText } from '../recording/criteria.ts'
import { isStoreUnavailable } from '../work/store-unavailable.ts'
import { answeredInTime } from './answered-in-time.ts'
import { LOGOUT_MEMBERS, logoutMemberProblem, uriProblem } from './client-metadata.ts'
import type { ClientSettings, LogoutMetadata } from './client-settings.ts'

/** What of a stored client is to change: the members that are named. Null removes one. */
export type LogoutMetadataChange = { readonly [Member in keyof LogoutMetadata]?: LogoutMetadata[Member] | null }

/** Who changes a client, and what he has seen of it. */
export interface ChangeClientOptions {
  /** Who does it: an operator's name, a ticket. Kept in the log. */
  readonly actor: string
  /** `version` of the settings that the change was made from: where they are others by now, nothing is changed. */
  readonly version: string
}

/** What became of a change. */
export type ClientChangeOutcome =
  | { readonly kind: 'changed'; readonly settings: ClientSettings }
  /** Somebody else has changed it meanwhile. */
  | { readonly kind: 'conflict'; readonly settings: ClientSettings }
  /** It is not in the adapter of the clients, or that adapter cannot write. */
  | { readonly kind: 'not_stored' }
  | { readonly kind: 'unknown' }

/** What clients are looked up, changed and tested with. */
export interface LogoutClientsParts {
  readonly host: Host
  readonly provider: OidcProvider
  readonly policy: DeliveryPolicy
  readonly development: boolean
  readonly network: InternalClients
  readonly tester: ClientTester
}

/** What a client has said that is kept in the log of a change: by whom, and which members. */
const CHANGE_REQUESTED = 'logout_client.change_requested'

/** The clients of the provider, as far as back-channel logout goes: what operators see of them, change and try. */
export class LogoutClients {
  readonly #parts: () => LogoutClientsParts
  #configured: readonly string[] = []
  /** Those that this process changes now. */
  readonly #changing = new Set<string>()

  constructor(parts: () => LogoutClientsParts) {
    this.#parts = parts
  }

  /** The clients of the provider's configuration. */
  get configured(): readonly string[] {
    return this.#configured
  }

  /** The provider's configuration is known. */
  configure({ clients }: { readonly clients?: unknown }): void {
    const listed: readonly unknown[] = Array.isArray(clients) ? clients : []
    const ids = listed.map((client) => (client as { readonly client_id?: unknown } | null)?.client_id)
    this.#configured = ids.filter((id) => typeof id === 'string')
  }

  /**
   * What a client says of back-channel logout, and how it is told. Undefined: nobody knows the client.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`), and what the adapter of the clients rejects with
   */
  async settings(clientId: string): Promise<ClientSettings | undefined> {
    assertText('clientId', clientId)
    const found = await this.#find(clientId)
    if (!found) return undefined
    const { source, metadata, client, stored, problem } = found
    const { policy, network, development } = this.#parts()
    const name = client?.['clientName'] ?? stored?.['client_name']
    const why = problem ?? problemOf(metadata, development)
    return {
      clientId,
      source,
      ...(typeof name === 'string' && { clientName: name }),
      metadata,
      ...(why !== undefined && { problem: why }),
      isInside: client ? network.isInside(client) : false,
      delivery: clientPolicyOf(policyFor(policy, clientId)),
      ...(stored && { version: versionOf(metadata) }),
    }
  }

  /**
   * Changes what a stored client says of back-channel logout. What it says as a whole has to be valid then. Who asked for it
   * is recorded before it is stored.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`) where a member is not valid, and whatever the store throws
   */
  async change(
    clientId: string,
    changes: LogoutMetadataChange,
    options: ChangeClientOptions,
  ): Promise<ClientChangeOutcome> {
    assertClearText('clientId', clientId)
    assertKnown(options, ['actor', 'version'])
    assertActor(options.actor)
    assertText('version', options.version)
    this.#assertChanges(changes)
    if (this.#changing.has(clientId)) return this.#told('conflict', clientId)
    this.#changing.add(clientId)
    try {
      return await this.#change(clientId, changes, options)
    } finally {
      this.#changing.delete(clientId)
    }
  }

  async #change(
    clientId: string,
    changes: LogoutMetadataChange,
    options: ChangeClientOptions,
  ): Promise<ClientChangeOutcome> {
    const found = await this.#find(clientId)
    if (!found) return { kind: 'unknown' }
    const { adapter } = this.#parts().provider.Client
    if (!found.stored || typeof adapter?.upsert !== 'function') return { kind: 'not_stored' }
    if (versionOf(found.metadata) !== options.version) return this.#told('conflict', clientId)
    const payload = changed(found.stored, changes)
    await this.#assertValid(payload)
    await this.#record(clientId, Object.keys(changes), options.actor)
    const isStored = await this.#replace(adapter, clientId, found.stored, payload)
    return this.#told(isStored ? 'changed' : 'conflict', clientId)
  }

  /**
   * Stores a client if it is still as it was read. An adapter stores a client as a whole: what was stored meanwhile must not
   * be undone, and a client that was deleted must not come back. An adapter other than the log's cannot rule out that it is
   * changed between the last read and the write.
   *
   * @returns false: it is another one by now, or gone
   */
  async #replace(adapter: ProviderAdapter, clientId: string, before: Payload, payload: Payload): Promise<boolean> {
    if (adapter instanceof ModelAdapter) return adapter.replace(clientId, before, payload)
    const stored = await answeredInTime(adapter.find(clientId), this.#parts().host.clock)
    if (!isDeepStrictEqual(stored, before)) return false
    await adapter.upsert(clientId, payload)
    return true
  }

  /**
   * Sends the RP a real logout token whose `sub` and `sid` are random, so that it ends nothing. It costs no delivery an
   * attempt, and the circuit knows nothing of it. Sent to a client that is paused, too.
   *
   * @throws OptionInvalidError (`OPTION_INVALID`), and what the adapter of the clients rejects with
   */
  async test(target: { readonly client: string }, options: { readonly actor: string }): Promise<ClientTest> {
    assertKnown(target, ['client'])
    assertText('client', target.client)
    assertKnown(options, ['actor'])
    assertActor(options.actor)
    return this.#parts().tester.test(target.client, options.actor)
  }

  async #told(kind: 'changed' | 'conflict', clientId: string): Promise<ClientChangeOutcome> {
    const settings = await this.settings(clientId)
    return settings ? { kind, settings } : { kind: 'unknown' }
  }

  async #find(clientId: string): Promise<FoundClient | undefined> {
    const { provider, host } = this.#parts()
    let client: OidcClient | undefined
    let problem: string | undefined
    try {
      client = await answeredInTime(provider.Client.find(clientId), host.clock)
    } catch (error) {
      if (isUnreadable(error))
        return { source: 'unreadable', metadata: {}, problem: `it cannot be opened: ${error.message}` }
      if (isStoreUnavailable(error) || !isInvalid(error)) throw error
      problem = `its metadata is not valid: ${error.error_description ?? error.message}`
    }
    if (client?.['noManage'] === true) return { source: 'configuration', metadata: metadataOf(client), client }
    const stored = await answeredInTime(
      provider.Client.adapter?.find(clientId) ?? Promise.resolve(undefined),
      host.clock,
    )
    if (stored) {
      const source = client ? 'stored' : 'unreadable'
      return { source, metadata: membersOf(stored), stored, ...(client && { client }), ...(problem && { problem }) }
    }
    return client && { source: 'elsewhere', metadata: metadataOf(client), client }
  }

  #assertChanges(changes: LogoutMetadataChange): void {
    assertKnown(changes, LOGOUT_MEMBERS)
    if (Object.keys(changes).length === 0) throw new OptionInvalidError('changes', 'must name a member')
    for (const [member, value] of Object.entries(changes)) {
      const problem = value === null ? undefined : logoutMemberProblem(member, value, this.#parts().development)
      if (problem !== undefined) throw new OptionInvalidError(member, problem)
    }
  }

  /** As the provider checks a client that is registered. */
  async #assertValid(payload: Payload): Promise<void> {
    const { Client } = this.#parts().provider
    try {
      await Client.validate?.(payload)
    } catch (error) {
      if (!isInvalid(error)) throw error
      throw new OptionInvalidError('changes', `make the client invalid: ${error.error_description ?? error.message}`)
    }
  }

  async #record(clientId: string, members: readonly string[], actor: string): Promise<void> {
    const { host, provider } = this.#parts()
    await host.store.append({
      events: [
        {
          stream: `logout_client:${provider.issuer} ${clientId}`,
          type: CHANGE_REQUESTED,
          data: { client_id: clientId, members, actor },
        },
      ],
      meta: { instance: provider.issuer, actor },
    })
  }
}

interface FoundClient {
  readonly source: ClientSettings['source']
  readonly metadata: LogoutMetadata
  readonly client?: OidcClient
  readonly stored?: Payload
  readonly problem?: string
}

/** What oidc-provider throws where a client's metadata is not valid (RFC 7591 section 3.2.2). */
function isInvalid(error: unknown): error is Error & { readonly error_description?: string } {
  const code = error instanceof Error && 'error' in error ? error.error : undefined
  return code === 'invalid_client_metadata' || code === 'invalid_redirect_uri'
}

function membersOf(payload: Payload): LogoutMetadata {
  const members = LOGOUT_MEMBERS.flatMap((name) => (payload[name] === undefined ? [] : [[name, payload[name]]]))
  return Object.fromEntries(members) as LogoutMetadata
}

/** oidc-provider gives the members that it knows names of its own. */
function metadataOf(client: OidcClient): LogoutMetadata {
  return membersOf({
    ...client,
    backchannel_logout_uri: client.backchannelLogoutUri,
    backchannel_logout_session_required: client.backchannelLogoutSessionRequired,
  } as Payload)
}

function problemOf({ backchannel_logout_uri: uri }: LogoutMetadata, development: boolean): string | undefined {
  if (uri === undefined) return 'it has no backchannel_logout_uri'
  const problem = uriProblem(uri, development)
  return problem === undefined ? undefined : `its backchannel_logout_uri ${problem}`
}

/** Of what is shown alone: a hash of all of it would be one of the client's secret. */
function versionOf(metadata: LogoutMetadata): string {
  return createHash('sha256').update(JSON.stringify(metadata)).digest('base64url').slice(0, 22)
}

function changed(payload: Payload, changes: LogoutMetadataChange): Payload {
  const kept = Object.entries(payload).filter(([name]) => !Object.hasOwn(changes, name))
  const added = Object.entries(changes).filter(([, value]) => value !== null && value !== undefined)
  return Object.fromEntries([...kept, ...added]) as Payload
}

/** Without what all clients share, which the policy of a client with none of its own has beside it. */
function clientPolicyOf(policy: ClientSettings['delivery']): ClientSettings['delivery'] {
  const shared: ReadonlySet<string> = new Set(['concurrency', 'concurrencyPerOrigin', 'clients'])
  return Object.fromEntries(Object.entries(policy).filter(([name]) => !shared.has(name))) as ClientSettings['delivery']
}
