import type { JsonObject, NewEvent } from '../../../lib/index.ts'
import type { Reason } from '../reasons.ts'

/** An RP holds a login of this session. Whether it can be told of its end is looked up when the end is planned, and sent. */
export interface Registered {
  readonly type: 'session_logout.back_channel.registered'
  readonly client_id: string
  /** The RP's own session id for the login: the `sid` of its ID tokens (Back-Channel Logout 1.0 section 2.1). */
  readonly oidc_session_id: string
  /** The account, sealed. */
  readonly user_id: string
  /** Whether the ID tokens of this login carry the sid, and so the logout token does. */
  readonly session_required: boolean
  /**
   * The client had a back-channel logout URI when the login was made. Absent: it had none, or nobody knows. Then it is owed
   * a token only if it has one when the end is planned.
   */
  readonly has_uri?: true
  /** The reasons for which the client wants to be told; absent: all. */
  readonly initiators?: readonly Reason[]
}

/** The session, or part of it, ended. */
export interface Terminated {
  readonly type: 'session_logout.terminated'
  readonly reason: Reason
  /** The issuer in whose name the session ended: the token's issuer, never the request's host. */
  readonly triggered_at_origin: string
  /** The whole session, or the logins with these sids. */
  readonly scope: 'session' | readonly string[]
  /** How many registered logins ended with it. */
  readonly logins?: number
  /** Who ended it, where that was not the user: an operator, `system`. */
  readonly actor?: string
  /** The client that asked for it. */
  readonly by_client?: string
}

/** A client that had no known URI at the login has one now that the login ended: it is owed a token. */
export interface Owed {
  readonly type: 'session_logout.back_channel.owed'
  readonly delivery: string
  readonly client_id: string
}

/** What a fact about one delivery names. */
interface OfDelivery {
  readonly delivery: string
  readonly client_id: string
  /** How often the delivery had been replayed when this attempt was made; absent: never. */
  readonly round?: number
}

/** The RP confirmed: 200, 202 or 204. */
export interface Sent extends OfDelivery {
  readonly type: 'session_logout.back_channel.sent'
  readonly oidc_session_id: string
  readonly attempt: number
  readonly status: number
  readonly took_ms: number
}

/** Will be tried again. */
export interface AttemptFailed extends OfDelivery {
  readonly type: 'session_logout.back_channel.attempt_failed'
  readonly attempt: number
  readonly status?: number
  readonly error?: string
  /** What the RP said: its start, without what looks like a token. */
  readonly answer?: string
  /** How many attempts of the round, on schedule, the RP has answered with 400 by now; absent: none. */
  readonly bad_requests?: number
  /** How many attempts of the round were made before their time by now; absent: none. */
  readonly early?: number
  /** Milliseconds since 1970. */
  readonly next_attempt_at: number
}

/** The RP refuses for good. Terminal, and never counted as delivered. */
export interface Rejected extends OfDelivery {
  readonly type: 'session_logout.back_channel.rejected'
  readonly attempt: number
  readonly status: number
  readonly answer: string
}

/** Nobody will try any more: a dead letter, or nobody is there to be told. */
export interface Abandoned extends OfDelivery {
  readonly type: 'session_logout.back_channel.abandoned'
  readonly attempts: number
  /** `expired`: it was older than a delivery may be (`maxAgeMs`). */
  readonly failure_reason: 'budget_spent' | 'expired' | 'client_deleted' | 'no_uri' | 'account_forgotten'
  /** How the last attempt failed, where there was one. */
  readonly status?: number
  readonly error?: string
  /** What the RP said to it: its start, without what looks like a token. */
  readonly answer?: string
}

/**
 * Sending it now would end a newer login of the user at the RP: a token without a sid ends all of them. Terminal, no dead
 * letter, and never counted as delivered. Only where the client opted in.
 */
export interface Superseded extends OfDelivery {
  readonly type: 'session_logout.back_channel.superseded'
  /** Attempts made before. */
  readonly attempts: number
  readonly superseded_by: 'newer_login'
}

/** An operator has a dead letter sent again, with a budget as if it were new. */
export interface Replayed extends OfDelivery {
  readonly type: 'session_logout.back_channel.replayed'
  /** The round that begins: 1 at the first replay. */
  readonly round: number
  readonly actor: string
}

/** The facts of the aggregate `session_logout`. */
export type SessionLogoutEvent =
  | Registered
  | Terminated
  | Owed
  | Sent
  | AttemptFailed
  | Rejected
  | Abandoned
  | Superseded
  | Replayed

const PREFIX = 'session_logout.'
const STREAM = 'session_logout:'

/** The stream of one session's logout. */
export function sessionLogoutStream(uid: string): string {
  return `${STREAM}${uid}`
}

/** The session uid of such a stream; undefined for other streams. */
export function uidOfStream(stream: string): string | undefined {
  return stream.startsWith(STREAM) ? stream.slice(STREAM.length) : undefined
}

export function isSessionLogout(type: string): boolean {
  return type.startsWith(PREFIX)
}

/** How often a delivery had been replayed: of a fact, of what lies in the work table, of how it stands. */
export function roundOf({ round = 0 }: { readonly round?: number }): number {
  return round
}

/** The fact as an event of the log. */
export function toEvent(uid: string, { type, ...data }: SessionLogoutEvent, also: readonly string[] = []): NewEvent {
  return {
    stream: sessionLogoutStream(uid),
    ...(also.length > 0 && { also }),
    type,
    data: data as unknown as JsonObject,
  }
}
