import type {
  KeyRing,
  Logger,
  NewEvent,
  Observation,
  Payload,
  RequestContext,
  SessionChange,
  SessionObserver,
} from '../../../lib/index.ts'
import type { OidcProvider } from '../provider-internals.ts'
import type { Reason } from '../reasons.ts'
import { orderStream, registeredBy, terminatedBy } from './found-by.ts'
import { fromNote, isKnown, NOTE, type Note, type Noted, toNote } from './noted.ts'
import { askingClient, reasonOfEnd, reasonOfRemoval } from './reason.ts'
import { Registrar, registrationOf } from './registrar.ts'
import { type Terminated, toEvent } from './session-logout-events.ts'

/** What the observer works with. */
export interface ObserverParts {
  readonly provider: OidcProvider
  readonly keys: KeyRing
  readonly logger: Logger
  readonly development: boolean
  readonly isOn: () => boolean
}

/**
 * Records, in the commit that changes a session: which RPs are to be told of its end (when the session first holds a
 * login of theirs), and that it ended, or that logins in it did.
 */
export class BackChannelObserver implements SessionObserver {
  readonly name: string = NOTE
  #parts: ObserverParts | undefined
  readonly #registrar = new Registrar()

  attach(parts: ObserverParts): void {
    this.#parts = parts
  }

  async sessionChanges(change: SessionChange): Promise<Observation> {
    const parts = this.#parts
    if (!parts) return { events: [] }
    const note = fromNote(change.note)
    if (!change.after) return { events: this.#ended(parts, change, note.logins) }
    const removed = this.#removed(parts, change, note.logins)
    const kept = note.logins.filter(({ clientId }) => authorizationOf(change.after, clientId) !== undefined)
    if (!parts.isOn()) return { events: removed, note: toNote(unaskedNote(change, { ...note, logins: kept })) }
    const { events, logins } = await this.#registered(parts, change, { ...note, logins: kept })
    return { events: [...removed, ...events], note: toNote(lookedNote(change, logins)) }
  }

  #ended(parts: ObserverParts, change: SessionChange, noted: readonly Noted[]): NewEvent[] {
    const { before, cause } = change
    if (!before || typeof before['accountId'] !== 'string') return [] // nobody was logged in
    if (!parts.isOn() && noted.length === 0 && !cause) return []
    return [this.#terminated(parts, change, before, reasonOfEnd(before, change.request), 'session', noted)]
  }

  /** Logins that this request has read and that are missing in what it writes. */
  #removed(parts: ObserverParts, change: SessionChange, noted: readonly Noted[]): NewEvent[] {
    const { before, after, cause } = change
    if (!before || !after) return []
    if (!parts.isOn() && noted.length === 0 && !cause) return []
    const sids = new Set<string>()
    for (const [clientId, { sid }] of authorizationsOf(before)) {
      if (sid !== undefined && authorizationOf(after, clientId) === undefined) sids.add(sid)
    }
    for (const { clientId, sid } of noted) if (authorizationOf(after, clientId) === undefined) sids.add(sid)
    if (sids.size === 0) return []
    const ended = noted.filter(({ sid }) => sids.has(sid))
    return [this.#terminated(parts, change, before, reasonOfRemoval(change.request), [...sids], ended)]
  }

  #terminated(
    { provider, keys }: ObserverParts,
    { uid, request, cause }: SessionChange,
    before: Payload,
    seen: Reason,
    scope: Terminated['scope'],
    ended: readonly Noted[],
  ): NewEvent {
    const byClient = request ? askingClient(before) : cause?.byClient
    const event: Terminated = {
      type: 'session_logout.terminated',
      triggered_at_origin: provider.issuer,
      reason: (cause?.reason as Reason | undefined) ?? seen,
      scope,
      logins: ended.length,
      ...(cause?.actor !== undefined && { actor: cause.actor }),
      ...(byClient !== undefined && { by_client: byClient }),
    }
    const order = cause?.order === undefined ? [] : [orderStream(cause.order)]
    const clientIds = ended.map(({ clientId }) => clientId)
    return toEvent(uid, event, [...terminatedBy(keys, provider.issuer, accountOf(before), clientIds), ...order])
  }

  /** Logins that are not registered as they are: new ones, with a new sid, or whose ID tokens carry the sid only now. */
  async #registered(
    parts: ObserverParts,
    change: SessionChange,
    note: Note,
  ): Promise<{ events: NewEvent[]; logins: Noted[] }> {
    const { uid, after, request } = change
    const events: NewEvent[] = []
    const logins: Noted[] = [...note.logins]
    if (!after || typeof after['accountId'] !== 'string') return { events, logins }
    for (const [clientId, { sid }] of authorizationsOf(after)) {
      if (sid === undefined) continue // only started: nothing was issued, there is nothing to tell
      const before = logins.findLast((login) => login.clientId === clientId && login.sid === sid)
      // Once looked at, only the client's own requests, which have loaded it anyway, can change anything: else each write
      // of a session would load all its clients.
      const isOwn = request?.oidc?.client?.clientId === clientId
      if (before?.withSid || ((before || note.looked.has(sid)) && !isOwn)) continue
      const client = await this.#registrar.clientToTell(parts, clientId, request?.oidc?.client)
      if (!client) continue
      const withSid =
        !isFromBefore(change, note, clientId, sid) && (client.includeSid() || asksForSid(request, clientId))
      if (before && !(withSid && isIssuedTo(request, clientId))) continue
      events.push(
        toEvent(
          uid,
          registrationOf(parts.keys, { uid, client, sid, withSid, accountId: after['accountId'] }),
          registeredBy(parts.keys, clientId, after['accountId']),
        ),
      )
      logins.splice(0, logins.length, ...logins.filter((login) => login !== before), { clientId, sid, withSid })
    }
    return { events, logins }
  }
}

/** After a look at all logins. */
function lookedNote({ after }: SessionChange, logins: readonly Noted[]): Note {
  const registered = new Set(logins.map(({ sid }) => sid))
  return { logins, looked: new Set(sidsOf(after).filter((sid) => !registered.has(sid))), unasked: new Set() }
}

/** With the feature off: what this write adds is to be looked at later. */
function unaskedNote({ before, after }: SessionChange, { logins, looked, unasked }: Note): Note {
  const [were, are] = [new Set(sidsOf(before)), sidsOf(after)]
  const known = new Set(logins.map(({ sid }) => sid))
  return {
    logins,
    looked: new Set(are.filter((sid) => looked.has(sid))),
    unasked: new Set(are.filter((sid) => unasked.has(sid) || !(were.has(sid) || known.has(sid)))),
  }
}

/**
 * Whether the login was made without the plugin, and this request issues nothing for it: its ID tokens were made under
 * another configuration, and nobody knows whether they had a sid. A logout token without one ends more sessions than it
 * has to; with a sid that the RP was never given it ends none.
 */
function isFromBefore({ before, request }: SessionChange, note: Note, clientId: string, sid: string): boolean {
  return !isKnown(note, sid) && authorizationOf(before, clientId)?.sid === sid && !isIssuedTo(request, clientId)
}

/** Whether this request is the client's own and may issue it an ID token. */
function isIssuedTo(request: RequestContext | undefined, clientId: string): boolean {
  return request?.oidc?.client?.clientId === clientId && request.oidc.route?.startsWith('end_session') !== true
}

/** This request is the client's own, and asks for the sid claim (OpenID Connect Core 1.0 section 5.5). */
function asksForSid(request: RequestContext | undefined, clientId: string): boolean {
  const oidc = request?.oidc as
    | { client?: { clientId: string }; claims?: { id_token?: Record<string, unknown> } }
    | undefined
  return oidc?.client?.clientId === clientId && oidc.claims?.id_token !== undefined && 'sid' in oidc.claims.id_token
}

function accountOf({ accountId }: Payload): string | undefined {
  return typeof accountId === 'string' ? accountId : undefined
}

function sidsOf(payload: Payload | undefined): string[] {
  return payload ? authorizationsOf(payload).flatMap(([, { sid }]) => sid ?? []) : []
}

function authorizationsOf({ authorizations }: Payload): [string, { readonly sid?: string }][] {
  return typeof authorizations === 'object' && authorizations !== null ? Object.entries(authorizations) : []
}

function authorizationOf(payload: Payload | undefined, clientId: string): { readonly sid?: string } | undefined {
  return payload && authorizationsOf(payload).find(([id]) => id === clientId)?.[1]
}
