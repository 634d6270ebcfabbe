import { type Commit, EventTypeUnknownError } from '../../../lib/index.ts'
import type { Reason } from '../reasons.ts'
import { deliveryIdOf } from './delivery-id.ts'
import { type FailedAttempt, failedAttemptOf, KEPT_FAILURES } from './failed-attempts.ts'
import {
  type DeliveryState,
  isDead,
  type Owed,
  type Registration,
  type SessionLogout,
  type Standing,
  type Termination,
} from './session-logout.ts'
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

/** The same while it is folded: one copy, which each commit changes. */
export interface SessionLogoutFold extends SessionLogout {
  readonly registrations: Map<string, Registration>
  readonly terminations: FoldedTermination[]
  readonly terminationsAt: Map<number, FoldedTermination[]>
  readonly deliveries: Map<string, DeliveryState>
  readonly failures: Map<string, FailedAttempt[]>
  /** The end of each delivery that nobody has decided yet. */
  readonly undecided: Map<string, FoldedTermination>
}

interface FoldedTermination extends Termination {
  readonly owed: Owed[]
  readonly undecided: Owed[]
}

/** A session of which nothing is known. */
export function nothing(uid: string): SessionLogoutFold {
  return {
    uid,
    registrations: new Map(),
    terminations: [],
    terminationsAt: new Map(),
    deliveries: new Map(),
    failures: new Map(),
    undecided: new Map(),
  }
}

/**
 * One commit further: changes the state that it is given, and returns it.
 *
 * @throws EventTypeUnknownError (`EVENT_TYPE_UNKNOWN`)
 */
export function evolve(state: SessionLogoutFold, commit: Commit): SessionLogoutFold {
  const stream = sessionLogoutStream(state.uid)
  commit.events.forEach((event, index) => {
    if (event.stream !== stream || !isSessionLogout(event.type)) return
    apply(state, { type: event.type, ...event.data } as unknown as SessionLogoutEvent, commit, index)
  })
  return state
}

function apply(state: SessionLogoutFold, event: SessionLogoutEvent, commit: Commit, index: number): void {
  switch (event.type) {
    case 'session_logout.back_channel.registered':
      register(state, event)
      break
    case 'session_logout.terminated':
      terminate(state, event, commit, index)
      break
    case 'session_logout.back_channel.owed':
      decide(state, event.delivery)
      break
    case 'session_logout.back_channel.attempt_failed':
      record(state, event, commit.at, { kind: 'pending', attempts: event.attempt, lastFailure: event })
      break
    case 'session_logout.back_channel.sent':
      record(state, event, commit.at, {
        kind: 'confirmed',
        at: commit.at,
        attempt: event.attempt,
        status: event.status,
        tookMs: event.took_ms,
      })
      break
    case 'session_logout.back_channel.rejected':
      record(state, event, commit.at, {
        kind: 'rejected',
        at: commit.at,
        attempt: event.attempt,
        status: event.status,
        answer: event.answer,
      })
      break
    case 'session_logout.back_channel.abandoned':
      record(state, event, commit.at, {
        kind: 'abandoned',
        at: commit.at,
        failureReason: event.failure_reason,
        attempts: event.attempts,
        ...(event.status !== undefined && { status: event.status }),
        ...(event.error !== undefined && { error: event.error }),
        ...(event.answer !== undefined && { answer: event.answer }),
      })
      break
    case 'session_logout.back_channel.superseded':
      record(state, event, commit.at, {
        kind: 'superseded',
        at: commit.at,
        supersededBy: event.superseded_by,
        attempts: event.attempts,
      })
      break
    case 'session_logout.back_channel.replayed':
      replay(state, event)
      break
    default:
      throw new EventTypeUnknownError(sessionLogoutStream(state.uid), (event as { type: string }).type)
  }
}

/** A login may be registered again, by a process that knows more of it, or less: what was known stays known. */
function register(state: SessionLogoutFold, event: Registered): void {
  const key = keyOf(event.client_id, event.oidc_session_id)
  const before = state.registrations.get(key)
  const initiators = event.has_uri ? event.initiators : before?.initiators
  state.registrations.set(key, {
    clientId: event.client_id,
    sid: event.oidc_session_id,
    sealedSubject: event.user_id,
    includeSid: event.session_required || before?.includeSid === true,
    hasUri: event.has_uri === true || before?.hasUri === true,
    ...(initiators && { initiators }),
  })
}

function terminate(state: SessionLogoutFold, event: Terminated, commit: Commit, index: number): void {
  const sids = event.scope === 'session' ? undefined : new Set(event.scope)
  const ended = [...state.registrations].filter(([, { sid }]) => sids?.has(sid) ?? true)
  for (const [key] of ended) state.registrations.delete(key)
  const owed: Owed[] = []
  const undecided: Owed[] = []
  const termination: FoldedTermination = {
    position: commit.position,
    at: commit.at,
    reason: event.reason,
    origin: event.triggered_at_origin,
    scope: event.scope,
    ...(event.actor !== undefined && { actor: event.actor }),
    ...(event.by_client !== undefined && { initiatingClient: event.by_client }),
    owed,
    undecided,
  }
  const registrations = owedFor(
    ended.map(([, registration]) => registration),
    event.reason,
  )
  registrations.forEach((registration, part) => {
    const delivery = deliveryIdOf(commit.position, index, part)
    if (registration.hasUri) {
      owed.push({ delivery, registration })
      if (!state.deliveries.has(delivery)) state.deliveries.set(delivery, { kind: 'pending', attempts: 0 })
    } else {
      undecided.push({ delivery, registration })
      state.undecided.set(delivery, termination)
    }
  })
  state.terminations.push(termination)
  const there = state.terminationsAt.get(commit.position)
  if (there) there.push(termination)
  else state.terminationsAt.set(commit.position, [termination])
}

/**
 * Who is owed a token: each login whose client did not filter the reason out. A token without a sid ends all the user's
 * sessions at the RP, so one is enough.
 */
function owedFor(ended: readonly Registration[], reason: Reason): Registration[] {
  const told = new Set<string>()
  return ended
    .filter(({ initiators }) => initiators?.includes(reason) ?? true)
    .toSorted((a, b) => compare(a.clientId, b.clientId) || Number(b.hasUri) - Number(a.hasUri) || compare(a.sid, b.sid))
    .filter(({ clientId, includeSid }) => {
      if (includeSid) return true
      const first = !told.has(clientId)
      told.add(clientId)
      return first
    })
}

/** From now on the RP is owed the token. */
function decide(state: SessionLogoutFold, delivery: string): void {
  const termination = state.undecided.get(delivery)
  if (!termination) return
  state.undecided.delete(delivery)
  const index = termination.undecided.findIndex((one) => one.delivery === delivery)
  termination.owed.push(...termination.undecided.splice(index, 1))
  if (!state.deliveries.has(delivery)) state.deliveries.set(delivery, { kind: 'pending', attempts: 0 })
}

/** How an attempt, or a delivery, ended. Whoever tells it late has lost: it was settled meanwhile, or is in another round. */
function record(
  state: SessionLogoutFold,
  event: AttemptFailed | Sent | Rejected | Abandoned | Superseded,
  at: number,
  standing: Standing,
): void {
  decide(state, event.delivery) // a process of another issuer planned it, which does not know the client
  const before = state.deliveries.get(event.delivery)
  if (before && (before.kind !== 'pending' || roundOf(before) !== roundOf(event))) return
  stand(state, event, standing)
  if (standing.kind !== 'confirmed' && standing.kind !== 'superseded')
    remember(state, event.delivery, failedAttemptOf(event as AttemptFailed | Rejected | Abandoned, at))
}

function remember({ failures }: SessionLogoutFold, delivery: string, failed: FailedAttempt | undefined): void {
  if (!failed) return
  const known = failures.get(delivery) ?? []
  failures.set(delivery, known)
  known.push(failed)
  if (known.length > KEPT_FAILURES) known.shift()
}

/** Only a dead letter is replayed, and only into the round after its own. */
function replay(state: SessionLogoutFold, event: Replayed): void {
  const before = state.deliveries.get(event.delivery)
  if (!before || !isDead(before) || event.round !== roundOf(before) + 1) return
  stand(state, event, { kind: 'pending', attempts: 0 })
}

function stand(
  { deliveries }: SessionLogoutFold,
  event: { readonly delivery: string; readonly round?: number },
  standing: Standing,
): void {
  const round = roundOf(event)
  deliveries.set(event.delivery, { ...standing, ...(round > 0 && { round }) })
}

function keyOf(clientId: string, sid: string): string {
  return JSON.stringify([clientId, sid])
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
