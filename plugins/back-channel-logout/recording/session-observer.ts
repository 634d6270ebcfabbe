import type {
  JsonObject,
  KeyRing,
  Logger,
  NewEvent,
  Observation,
  Payload,
  RequestContext,
  SessionChange,
  SessionObserver,
} from '../../../lib/index.ts'
import { INITIATORS, initiatorsProblem, uriProblem } from '../clients/client-metadata.ts'
import type { OidcClient, OidcProvider } from '../provider-internals.ts'
import { isAway } from '../work/store-away.ts'
import { askingClient, reasonOfEnd, reasonOfRemoval } from './reason.ts'
import { type Reason, type Registered, sessionLogoutStream, type Terminated, toEvent } from './session-logout-events.ts'

/** What the observer works with. */
export interface ObserverParts {
  readonly provider: OidcProvider
  readonly keys: KeyRing
  readonly logger: Logger
  readonly development: boolean
  readonly isOn: () => boolean
}

/** A login that was registered with the session: what the session's state remembers, so that none is asked for again. */
interface Noted {
  readonly clientId: string
  readonly sid: string
  readonly withSid: boolean
}

/**
 * Records, in the commit that changes a session: which RPs are to be told of its end (when the session first holds a
 * login of theirs), and that it ended, or that logins in it did.
 */
export class BackChannelObserver implements SessionObserver {
  readonly name = 'back_channel_logout'
  #parts: ObserverParts | undefined
  readonly #warned = new Set<string>()

  attach(parts: ObserverParts): void {
    this.#parts = parts
  }

  async sessionChanges(change: SessionChange): Promise<Observation> {
    const parts = this.#parts
    if (!parts) return { events: [] }
    const noted = notedIn(change.note)
    if (!change.after) return { events: this.#ended(parts, change, noted) }
    const kept = noted.filter(({ clientId }) => authorizationOf(change.after, clientId) !== undefined)
    const removed = this.#removed(parts, change, noted)
    const isOn = parts.isOn()
    const registered = isOn ? await this.#registered(parts, change, kept) : { events: [], noted: kept }
    const note = noteOf(registered.noted, isOn)
    return { events: [...removed, ...registered.events], note }
  }

  #ended(parts: ObserverParts, { uid, before, request }: SessionChange, noted: readonly Noted[]): NewEvent[] {
    if (!before || typeof before['accountId'] !== 'string') return [] // nobody was logged in
    if (!parts.isOn() && noted.length === 0) return []
    const byClient = request && askingClient(before)
    return [
      this.#terminated(parts, uid, before, {
        reason: reasonOfEnd(before, request),
        scope: 'session',
        ...(byClient !== undefined && { by_client: byClient }),
      }),
    ]
  }

  /** Logins that this request has read and that are missing in what it writes. */
  #removed(parts: ObserverParts, { uid, before, after, request }: SessionChange, noted: readonly Noted[]): NewEvent[] {
    if (!before || !after) return []
    if (!parts.isOn() && noted.length === 0) return []
    const sids = new Set<string>()
    for (const [clientId, { sid }] of authorizationsOf(before)) {
      if (sid !== undefined && authorizationOf(after, clientId) === undefined) sids.add(sid)
    }
    for (const { clientId, sid } of noted) if (authorizationOf(after, clientId) === undefined) sids.add(sid)
    if (sids.size === 0) return []
    const byClient = request && askingClient(before)
    return [
      this.#terminated(parts, uid, before, {
        reason: reasonOfRemoval(request),
        scope: [...sids],
        ...(byClient !== undefined && { by_client: byClient }),
      }),
    ]
  }

  #terminated(
    parts: ObserverParts,
    uid: string,
    before: Payload,
    what: Pick<Terminated, 'reason' | 'scope' | 'by_client'>,
  ): NewEvent {
    const event: Terminated = { type: 'session_logout.terminated', triggered_at_origin: parts.provider.issuer, ...what }
    return toEvent(uid, event, accountStreams(parts.keys, before))
  }

  /** Logins that are not registered as they are: new ones, with a new sid, or whose ID tokens carry the sid only now. */
  async #registered(
    parts: ObserverParts,
    change: SessionChange,
    noted: readonly Noted[],
  ): Promise<{ events: NewEvent[]; noted: Noted[] }> {
    const { uid, after, request } = change
    const events: NewEvent[] = []
    const now: Noted[] = [...noted]
    if (!after || typeof after['accountId'] !== 'string') return { events, noted: now }
    for (const [clientId, { sid }] of authorizationsOf(after)) {
      if (sid === undefined) continue // only started: nothing was issued, there is nothing to tell
      const before = now.findLast((login) => login.clientId === clientId && login.sid === sid)
      if (before?.withSid || this.#wasLookedAt(change, clientId, sid)) continue
      const client = await this.#clientToTell(parts, clientId, request)
      if (!client) continue
      const withSid = client.includeSid() || asksForSid(request, clientId)
      if (before && !withSid) continue
      events.push(
        toEvent(
          uid,
          this.#registration(parts, uid, client, sid, withSid, after['accountId']),
          accountStreams(parts.keys, after),
        ),
      )
      now.splice(0, now.length, ...now.filter((login) => login !== before), { clientId, sid, withSid })
    }
    return { events, noted: now }
  }

  /**
   * Whether a former write, with the feature on, has looked at this login already: then only the client's own requests,
   * which have loaded it anyway, can change anything. Else each write of a session would load all its clients.
   */
  #wasLookedAt({ before, note, request }: SessionChange, clientId: string, sid: string): boolean {
    if (note?.['complete'] !== true || request?.oidc?.client?.clientId === clientId) return false
    return before !== undefined && authorizationOf(before, clientId)?.sid === sid
  }

  #registration(
    { keys }: ObserverParts,
    uid: string,
    client: OidcClient,
    sid: string,
    withSid: boolean,
    accountId: string,
  ): Registered {
    const initiators = client[INITIATORS]
    const valid = initiators !== undefined && initiatorsProblem(initiators) === undefined
    return {
      type: 'session_logout.back_channel.registered',
      client_id: client.clientId,
      oidc_session_id: sid,
      user_id: keys.seal(accountId, sessionLogoutStream(uid)),
      back_channel_logout_uri: String(client.backchannelLogoutUri),
      session_required: withSid,
      ...(valid && { initiators: initiators as readonly Reason[] }),
    }
  }

  /**
   * The client, if it can be told. A client that cannot be loaded must not break anybody's login; a store that is away
   * is another matter, and the write fails with it.
   */
  async #clientToTell(
    parts: ObserverParts,
    clientId: string,
    request: RequestContext | undefined,
  ): Promise<OidcClient | undefined> {
    const current = request?.oidc?.client as OidcClient | undefined
    let client: OidcClient | undefined
    try {
      client = current?.clientId === clientId ? current : await parts.provider.Client.find(clientId)
    } catch (err) {
      // Without the registration nobody would ever tell the RP, and no later write of the session looks at it again.
      if (isAway(err)) throw err
      parts.logger.warn(
        { err, client_id: clientId },
        'a client cannot be loaded, and so not be registered for back-channel logout',
      )
      return undefined
    }
    if (!client?.backchannelLogoutUri) return undefined
    const problem = uriProblem(client.backchannelLogoutUri, parts.development)
    if (problem === undefined) return client
    if (!this.#warned.has(clientId)) {
      this.#warned.add(clientId)
      parts.logger.warn(
        { client_id: clientId },
        `the client's backchannel_logout_uri ${problem}: it is not told of logouts`,
      )
    }
    return undefined
  }
}

/** This request is the client's own, and asks for the sid claim (OpenID Connect Core 1.0 section 5.5). */
function asksForSid(request: RequestContext | undefined, clientId: string): boolean {
  const oidc = request?.oidc as
    | { client?: { clientId: string }; claims?: { id_token?: Record<string, unknown> } }
    | undefined
  return oidc?.client?.clientId === clientId && oidc.claims?.id_token !== undefined && 'sid' in oidc.claims.id_token
}

function accountStreams(keys: KeyRing, { accountId }: Payload): string[] {
  return typeof accountId === 'string' ? keys.streams('account', accountId) : []
}

function authorizationsOf({ authorizations }: Payload): [string, { readonly sid?: string }][] {
  return typeof authorizations === 'object' && authorizations !== null ? Object.entries(authorizations) : []
}

function authorizationOf(payload: Payload | undefined, clientId: string): { readonly sid?: string } | undefined {
  return payload && authorizationsOf(payload).find(([id]) => id === clientId)?.[1]
}

/** Client ids are no field names: they may be anything. */
function noteOf(noted: readonly Noted[], complete: boolean): JsonObject {
  return { complete, logins: noted.map(({ clientId, sid, withSid }) => [clientId, sid, withSid]) }
}

function notedIn(note: JsonObject | undefined): Noted[] {
  const logins = (note?.['logins'] ?? []) as [string, string, boolean][]
  return logins.map(([clientId, sid, withSid]) => ({ clientId, sid, withSid }))
}
