import type { Commit, EventStore, NewEvent } from '../../lib/index.ts'
import type { SessionLogout } from '../../plugins/back-channel-logout/recording/session-logout.ts'
import {
  type Abandoned,
  type Registered,
  type Replayed,
  type SessionLogoutEvent,
  sessionLogoutStream,
  type Terminated,
  toEvent,
} from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { evolve, nothing } from '../../plugins/back-channel-logout/recording/session-logout-fold.ts'

/** When the first commit of such a history was appended; each further one a second later. */
export const FIRST_AT = 1_000_000

/** The commits of one session's logout, one event each, as the log would hold them. */
export function historyOf(uid: string, events: readonly SessionLogoutEvent[]): Commit[] {
  return events.map((event, i) => commitOf(i + 1, [toEvent(uid, event)]))
}

/** The logout that a stream's commits leave. */
export function fold(uid: string, commits: readonly Commit[]): SessionLogout {
  return commits.reduce(evolve, nothing(uid))
}

export function commitOf(position: number, events: readonly NewEvent[]): Commit {
  return { position, id: `commit-${position}`, events, meta: {}, at: FIRST_AT + (position - 1) * 1_000 }
}

export function registered(clientId: string, sid: string, more: Partial<Registered> = {}): Registered {
  return {
    type: 'session_logout.back_channel.registered',
    client_id: clientId,
    oidc_session_id: sid,
    user_id: `sealed for ${clientId}`,
    session_required: true,
    has_uri: true,
    ...more,
  }
}

/** The same event with its subject sealed, as the OP records it: what is planned has to be opened. */
export function sealedEvent({ keys }: Pick<EventStore, 'keys'>, uid: string, event: SessionLogoutEvent): NewEvent {
  if (event.type !== 'session_logout.back_channel.registered') return toEvent(uid, event)
  return toEvent(uid, { ...event, user_id: keys.seal(event.user_id, sessionLogoutStream(uid)) })
}

/** The same of a client that had no known URI. */
export function registeredWithoutUri(clientId: string, sid: string, more: Partial<Registered> = {}): Registered {
  const { has_uri: _, ...login } = registered(clientId, sid, more)
  return login
}

export function terminated(scope: Terminated['scope'] = 'session', more: Partial<Terminated> = {}): Terminated {
  return {
    type: 'session_logout.terminated',
    reason: 'rp_initiated',
    triggered_at_origin: 'https://op.example.com',
    scope,
    ...more,
  }
}

/** In the round after how many replays; absent: none. */
interface InRound {
  readonly round?: number
}

/** That an RP which had no known URI at the login is owed the token. */
export function owed(delivery: string): SessionLogoutEvent {
  return { type: 'session_logout.back_channel.owed', delivery, client_id: 'rp' }
}

export function sent(delivery: string, more: InRound & { readonly attempt?: number } = {}): SessionLogoutEvent {
  return {
    type: 'session_logout.back_channel.sent',
    delivery,
    client_id: 'rp',
    oidc_session_id: 'sid',
    attempt: 1,
    status: 200,
    took_ms: 12,
    ...more,
  }
}

export function attemptFailed(delivery: string, attempt = 1, more: InRound = {}): SessionLogoutEvent {
  return {
    type: 'session_logout.back_channel.attempt_failed',
    delivery,
    client_id: 'rp',
    attempt,
    status: 503,
    next_attempt_at: FIRST_AT + 60_000,
    ...more,
  }
}

export function rejected(delivery: string, more: InRound = {}): SessionLogoutEvent {
  return {
    type: 'session_logout.back_channel.rejected',
    delivery,
    client_id: 'rp',
    attempt: 3,
    status: 400,
    answer: 'no',
    ...more,
  }
}

export function superseded(delivery: string, more: InRound = {}): SessionLogoutEvent {
  return {
    type: 'session_logout.back_channel.superseded',
    delivery,
    client_id: 'rp',
    attempts: 2,
    superseded_by: 'newer_login',
    ...more,
  }
}

export function abandoned(delivery: string, more: Partial<Abandoned> = {}): SessionLogoutEvent {
  return {
    type: 'session_logout.back_channel.abandoned',
    delivery,
    client_id: 'rp',
    attempts: 11,
    failure_reason: 'budget_spent',
    ...more,
  }
}

export function replayed(delivery: string, round = 1, actor = 'ops'): Replayed {
  return { type: 'session_logout.back_channel.replayed', delivery, client_id: 'rp', round, actor }
}
