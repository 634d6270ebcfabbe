import { type Commit, EventTypeUnknownError } from '../../../lib/index.ts'
import type { Reason } from '../reasons.ts'
import { deliveryIdOf } from './delivery-id.ts'
import {
  type Abandoned,
  type AttemptFailed,
  isSessionLogout,
  type Registered,
  type Rejected,
  type Replayed,
  roundOf,
  type Sent,
  type SessionLogoutEvent,
  type Superseded,
  sessionLogoutStream,
  type Terminated,
} from './session-logout-events.ts'

/** A login of the session at an RP that is still to be told of its end. */
export interface Registration {
  readonly clientId: string
  readonly sid: string
  /** The account, sealed under the session_logout stream. */
  readonly sealedSubject: string
  readonly withSid: boolean
  readonly initiators?: readonly Reason[]
}

/** One end of the session, or of part of it, and who is owed a token for it. */
export interface Termination {
  readonly position: number
  /** When it was recorded, milliseconds since 1970. */
  readonly at: number
  readonly reason: Reason
  readonly origin: string
  readonly scope: Terminated['scope']
  readonly actor?: string
  readonly byClient?: string
  readonly owed: readonly Owed[]
}

/** A logout token owed to an RP. */
export interface Owed {
  /** Derived from the log, so that planning it twice makes it once: position, event, part. */
  readonly delivery: string
  readonly registration: Registration
}

/** How a delivery stands, in the round that was the last to begin. */
export type DeliveryState = Standing & {
  /** How often it was replayed; absent: never. */
  readonly round?: number
}

type Standing =
  | { readonly kind: 'pending'; readonly attempts: number; readonly lastFailure?: AttemptFailed }
  | {
      readonly kind: 'confirmed'
      readonly at: number
      readonly attempt: number
      readonly status: number
      readonly tookMs: number
    }
  | {
      readonly kind: 'rejected'
      readonly at: number
      readonly attempt: number
      readonly status: number
      readonly answer: string
    }
  | {
      readonly kind: 'abandoned'
      readonly at: number
      readonly why: string
      readonly attempts: number
      /** How the last attempt failed. */
      readonly status?: number
      readonly error?: string
    }
  | { readonly kind: 'superseded'; readonly at: number; readonly why: string; readonly attempts: number }

/** How a dead letter stands. */
export type DeadLetterState = Extract<DeliveryState, { readonly kind: 'rejected' | 'abandoned' }>

/** The fold of one session's logout. */
export interface SessionLogout {
  readonly uid: string
  /** Logins that have not ended, by client and sid. */
  readonly registrations: ReadonlyMap<string, Registration>
  readonly terminations: readonly Termination[]
  readonly deliveries: ReadonlyMap<string, DeliveryState>
}

/** A session of which nothing is known. */
export function nothing(uid: string): SessionLogout {
  return { uid, registrations: new Map(), terminations: [], deliveries: new Map() }
}

/**
 * One commit further.
 *
 * @throws EventTypeUnknownError (`EVENT_TYPE_UNKNOWN`)
 */
export function evolve(state: SessionLogout, commit: Commit): SessionLogout {
  const stream = sessionLogoutStream(state.uid)
  let next = state
  commit.events.forEach((event, index) => {
    if (event.stream !== stream || !isSessionLogout(event.type)) return
    next = apply(next, { type: event.type, ...event.data } as unknown as SessionLogoutEvent, commit, index)
  })
  return next
}

/** The state that a stream's commits leave. */
export function fold(uid: string, commits: readonly Commit[]): SessionLogout {
  return commits.reduce(evolve, nothing(uid))
}

function apply(state: SessionLogout, event: SessionLogoutEvent, commit: Commit, index: number): SessionLogout {
  switch (event.type) {
    case 'session_logout.back_channel.registered':
      return {
        ...state,
        registrations: new Map(state.registrations).set(
          keyOf(event.client_id, event.oidc_session_id),
          registrationOf(event),
        ),
      }
    case 'session_logout.terminated':
      return terminate(state, event, commit, index)
    case 'session_logout.back_channel.attempt_failed':
      return pending(state, event)
    case 'session_logout.back_channel.sent':
      return settled(state, event, {
        kind: 'confirmed',
        at: commit.at,
        attempt: event.attempt,
        status: event.status,
        tookMs: event.took_ms,
      })
    case 'session_logout.back_channel.rejected':
      return settled(state, event, {
        kind: 'rejected',
        at: commit.at,
        attempt: event.attempt,
        status: event.status,
        answer: event.answer,
      })
    case 'session_logout.back_channel.abandoned':
      return settled(state, event, {
        kind: 'abandoned',
        at: commit.at,
        why: event.why,
        attempts: event.attempts,
        ...(event.status !== undefined && { status: event.status }),
        ...(event.error !== undefined && { error: event.error }),
      })
    case 'session_logout.back_channel.superseded':
      return settled(state, event, {
        kind: 'superseded',
        at: commit.at,
        why: event.why,
        attempts: event.attempts,
      })
    case 'session_logout.back_channel.replayed':
      return replayed(state, event)
    default:
      throw new EventTypeUnknownError(sessionLogoutStream(state.uid), (event as { type: string }).type)
  }
}

function registrationOf({
  client_id,
  oidc_session_id,
  user_id,
  session_required,
  initiators,
}: Registered): Registration {
  return {
    clientId: client_id,
    sid: oidc_session_id,
    sealedSubject: user_id,
    withSid: session_required,
    ...(initiators && { initiators }),
  }
}

function terminate(state: SessionLogout, event: Terminated, commit: Commit, index: number): SessionLogout {
  const ended = [...state.registrations].filter(([, { sid }]) => event.scope === 'session' || event.scope.includes(sid))
  const registrations = new Map(state.registrations)
  for (const [key] of ended) registrations.delete(key)
  const owed = owedFor(
    ended.map(([, registration]) => registration),
    event.reason,
  ).map((registration, part) => ({ delivery: deliveryIdOf(commit.position, index, part), registration }))
  const deliveries = new Map(state.deliveries)
  for (const { delivery } of owed)
    if (!deliveries.has(delivery)) deliveries.set(delivery, { kind: 'pending', attempts: 0 })
  const termination: Termination = {
    position: commit.position,
    at: commit.at,
    reason: event.reason,
    origin: event.triggered_at_origin,
    scope: event.scope,
    ...(event.actor !== undefined && { actor: event.actor }),
    ...(event.by_client !== undefined && { byClient: event.by_client }),
    owed,
  }
  return { ...state, registrations, terminations: [...state.terminations, termination], deliveries }
}

/**
 * Who is owed a token: each login whose client did not filter the reason out. A token without a sid ends all the user's
 * sessions at the RP, so one is enough.
 */
function owedFor(ended: readonly Registration[], reason: Reason): Registration[] {
  const told = new Set<string>()
  return ended
    .filter(({ initiators }) => initiators?.includes(reason) ?? true)
    .toSorted((a, b) => compare(a.clientId, b.clientId) || compare(a.sid, b.sid))
    .filter(({ clientId, withSid }) => {
      if (withSid) return true
      const first = !told.has(clientId)
      told.add(clientId)
      return first
    })
}

function pending(state: SessionLogout, event: AttemptFailed): SessionLogout {
  if (isLate(state, event)) return state
  return standing(state, event, { kind: 'pending', attempts: event.attempt, lastFailure: event })
}

/** Facts that end a delivery, or a round of it. */
type Settling = Sent | Rejected | Abandoned | Superseded

function settled(state: SessionLogout, event: Settling, outcome: Standing): SessionLogout {
  return isLate(state, event) ? state : standing(state, event, outcome)
}

/** A late holder of the delivery: it was settled meanwhile, or is in another round. */
function isLate(state: SessionLogout, event: AttemptFailed | Settling): boolean {
  const before = state.deliveries.get(event.delivery)
  return before !== undefined && (before.kind !== 'pending' || roundOf(before) !== roundOf(event))
}

/** Only a dead letter is replayed, and only into the round after its own. */
function replayed(state: SessionLogout, event: Replayed): SessionLogout {
  const before = state.deliveries.get(event.delivery)
  if (!before || !isDead(before) || event.round !== roundOf(before) + 1) return state
  return standing(state, event, { kind: 'pending', attempts: 0 })
}

function standing(
  state: SessionLogout,
  event: { readonly delivery: string; readonly round?: number },
  now: Standing,
): SessionLogout {
  const round = roundOf(event)
  return {
    ...state,
    deliveries: new Map(state.deliveries).set(event.delivery, { ...now, ...(round > 0 && { round }) }),
  }
}

/** Whether the delivery is a dead letter: the RP was not told, and nobody tries any more. */
export function isDead(delivery: DeliveryState): delivery is DeadLetterState {
  return delivery.kind === 'rejected' || delivery.kind === 'abandoned'
}

function keyOf(clientId: string, sid: string): string {
  return JSON.stringify([clientId, sid])
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
