import type {
  AccountKeys,
  Appended,
  NewEvent,
  Observation,
  Payload,
  RequestContext,
  SessionChange,
  SessionObserver,
} from '../../../lib/index.ts'
import type { ToldClients } from '../clients/told-clients.ts'
import type { OidcClient, OidcProvider } from '../provider-internals.ts'
import type { Reason } from '../reasons.ts'
import { isClearText } from './clear-text.ts'
import { endStreams, terminationStream } from './index-streams.ts'
import { fromNote, type KnownLogin, type Login, loginsOf, NOTE, toNote } from './logins.ts'
import { askingClient, reasonOfEnd, reasonOfRemoval } from './reason.ts'
import { type Registration, registrationOf } from './registration.ts'
import { type Terminated, toEvent } from './session-logout-events.ts'

/** What the observer works with. */
export interface ObserverParts {
  readonly provider: Pick<OidcProvider, 'issuer'>
  readonly keys: AccountKeys
  readonly clients: ToldClients
  readonly isOn: () => boolean
  /** Called when a commit of this process is stored. */
  readonly committed: (appended: Appended, events: readonly NewEvent[]) => void
}

/**
 * Records, in the commit that changes a session: that it holds a login (when it first does, whether or not the client can
 * be told), and that it ended, or that logins in it did. Loads no client: the request has loaded the one that it is about.
 */
export class BackChannelObserver implements SessionObserver {
  readonly name: string = NOTE
  #parts: ObserverParts | undefined

  attach(parts: ObserverParts): void {
    this.#parts = parts
  }

  async sessionChanges(change: SessionChange): Promise<Observation> {
    const parts = this.#parts
    if (!parts) return { events: [] }
    const { before, after } = change
    const known = fromNote(change.note, before)
    const left = new Set(loginsOf(after).map(({ sid }) => sid))
    const ended = loginsOf(before).filter(({ sid }) => !left.has(sid))
    const events: NewEvent[] = []
    if (parts.isOn()) {
      events.push(...(await this.#registered(parts, change, before, ended, known)))
      events.push(...(await this.#registered(parts, change, after, loginsOf(after), known)))
    } else remember(change, known)
    events.push(...this.#ended(parts, change, ended, known))
    return {
      events,
      ...(after && { note: toNote(known, after) }),
    }
  }

  committed(appended: Appended, events: readonly NewEvent[]): void {
    this.#parts?.committed(appended, events)
  }

  /** Registers what is not registered as it is: new logins, and those whose ID tokens carry the sid only now. */
  #registered(
    { provider, keys, clients }: ObserverParts,
    { uid, request }: SessionChange,
    session: Payload | undefined,
    logins: readonly Login[],
    known: Map<string, KnownLogin>,
  ): Promise<NewEvent[]> {
    const accountId = session && accountOf(session)
    if (accountId === undefined) return Promise.resolve([])
    const registrations = logins.flatMap((login): Registration[] => {
      const before = known.get(login.sid)
      const client = clientOf(request, login.clientId)
      const includeSid = before?.includeSid || carriesSid(request, client)
      if (before?.registered && before.includeSid === includeSid) return []
      known.set(login.sid, { registered: true, includeSid })
      return [{ ...login, uid, accountId, includeSid, client: client && clients.of(client) }]
    })
    return Promise.all(registrations.map((one) => registrationOf(keys, provider.issuer, one)))
  }

  #ended(
    { provider, keys, isOn }: ObserverParts,
    { uid, before, after, request, cause }: SessionChange,
    ended: readonly Login[],
    known: ReadonlyMap<string, KnownLogin>,
  ): NewEvent[] {
    if (!before || accountOf(before) === undefined) return [] // nobody was logged in
    const recorded = ended.filter(({ sid }) => known.get(sid)?.registered)
    if (after && ended.length === 0) return []
    if (!isOn() && recorded.length === 0 && !cause) return []
    const seen = after ? reasonOfRemoval(request) : reasonOfEnd(before, request)
    const initiatingClient = request ? askingClient(before) : cause?.initiatingClient
    const event: Terminated = {
      type: 'session_logout.terminated',
      triggered_at_origin: provider.issuer,
      reason: (cause?.reason as Reason | undefined) ?? seen,
      scope: after ? ended.map(({ sid }) => sid) : 'session',
      logins: recorded.length,
      ...(cause?.actor !== undefined && { actor: cause.actor }),
      ...(initiatingClient !== undefined && isClearText(initiatingClient) && { by_client: initiatingClient }),
    }
    const termination = cause?.terminationId === undefined ? [] : [terminationStream(cause.terminationId)]
    const clientIds = recorded.map(({ clientId }) => clientId)
    return [
      toEvent(uid, event, [...endStreams(keys.ring, provider.issuer, accountOf(before), clientIds), ...termination]),
    ]
  }
}

/** With the feature off nothing is registered; but what the ID tokens of a login carry is known only when it is made. */
function remember({ after, request }: SessionChange, known: Map<string, KnownLogin>): void {
  for (const { clientId, sid } of loginsOf(after)) {
    const before = known.get(sid)
    if (before?.registered) continue
    const includeSid = before?.includeSid || carriesSid(request, clientOf(request, clientId))
    known.set(sid, { registered: false, includeSid })
  }
}

/** The client, where this request is its own and may issue it an ID token. */
function clientOf(request: RequestContext | undefined, clientId: string): OidcClient | undefined {
  const client = request?.oidc?.client
  if (client?.clientId !== clientId || request?.oidc?.route?.startsWith('end_session')) return undefined
  return client as OidcClient
}

/**
 * Whether the ID tokens that this request issues to the client carry the sid: since it needs it, or asks for the claim
 * (OpenID Connect Core 1.0 section 5.5). Of a login that no request of the client's own has made nobody knows: a logout
 * token without a sid ends more sessions than it has to; with a sid that the RP was never given it ends none.
 */
function carriesSid(request: RequestContext | undefined, client: OidcClient | undefined): boolean {
  if (!client) return false
  const { claims } = (request?.oidc ?? {}) as { claims?: { id_token?: Record<string, unknown> } }
  return Boolean(client.includeSid()) || (claims?.id_token !== undefined && 'sid' in claims.id_token)
}

function accountOf({ accountId }: Payload): string | undefined {
  return typeof accountId === 'string' ? accountId : undefined
}
