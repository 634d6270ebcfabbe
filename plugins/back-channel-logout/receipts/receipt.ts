import type { Reason } from '../reasons.ts'
import type { FailedAttempt } from '../recording/failed-attempts.ts'
import type { DeliveryState, Owed, SessionLogout, Termination } from '../recording/session-logout.ts'
import { roundOf } from '../recording/session-logout-events.ts'

/** What became of the end of a session, RP by RP. */
export interface Receipt {
  readonly sessionUid: string
  /** Every end: of the whole session, or of single logins before. */
  readonly ends: readonly ReceiptEnd[]
  /** True when nobody is still to be told. */
  readonly settled: boolean
}

export interface ReceiptEnd {
  readonly reason: Reason
  /** When it was recorded, milliseconds since 1970. */
  readonly at: number
  /** The issuer in whose name it ended. */
  readonly origin: string
  /** Whether the whole session ended, or single logins of it. */
  readonly scope: 'session' | 'logins'
  /** The client that asked for it. */
  readonly initiatingClient?: string
  readonly actor?: string
  readonly relyingParties: readonly ReceiptEntry[]
  /** From the end until the last RP confirmed, in milliseconds; absent while one has not. */
  readonly timeToLogoutMs?: number
}

export interface ReceiptEntry {
  readonly clientId: string
  readonly sid: string
  readonly delivery: string
  /** `superseded`: not sent, since it would have ended a newer login of the user at that RP; not counted as confirmed. */
  readonly state: 'pending' | 'confirmed' | 'rejected' | 'abandoned' | 'superseded'
  /** How often it was tried; since the last replay, where it was replayed. */
  readonly attempts: number
  /** How often it was a dead letter and an operator had it sent again; absent: never. */
  readonly replays?: number
  /** When that was known, milliseconds since 1970; absent while pending. */
  readonly at?: number
  /** The RP's HTTP status, where it answered. */
  readonly status?: number
  /** Why it failed, or failed last. */
  readonly failureReason?: string
  /** Milliseconds since 1970; only while pending after a failure. */
  readonly nextAttemptAt?: number
  /** From the end until this RP confirmed, in milliseconds. */
  readonly timeToLogoutMs?: number
  /** The attempts that failed, the oldest first, of all rounds; the last 25. Absent: none. */
  readonly failures?: readonly FailedAttempt[]
}

/** How long, between two times in milliseconds since 1970, nobody could be told: milliseconds that do not count. */
export type Waiting = (from: number, to: number) => number

/** What of a logout is told, and with what beside it. */
export interface ReceiptView {
  /** What is not counted in a time to logout. Default: everything counts. */
  readonly waiting?: Waiting
  /** Up to which position the log is planned: above it an RP may be found that is to be told as well. Default: all of it. */
  readonly planned?: number
  /** Only the ends of which this client was to be told, and its own entries in them. Default: those of all clients. */
  readonly client?: string
}

/** The receipt is a view of the fold: it holds nothing that the log does not. */
export function receiptOf(logout: SessionLogout, view: ReceiptView = {}): Receipt {
  const { waiting = () => 0, planned = Number.POSITIVE_INFINITY, client } = view
  const isMeant = ({ registration }: Owed): boolean => client === undefined || registration.clientId === client
  const ends = logout.terminations.map((termination) => ({ ...termination, owed: termination.owed.filter(isMeant) }))
  const told = ends.filter(({ owed }) => client === undefined || owed.length > 0)
  const entries = told.map((end) => endOf(logout, end, waiting))
  return {
    sessionUid: logout.uid,
    ends: entries,
    settled:
      entries.every(({ relyingParties }) => relyingParties.every(({ state }) => state !== 'pending')) &&
      ends.every(({ position, undecided }) => position <= planned || !undecided.some(isMeant)),
  }
}

function endOf(logout: SessionLogout, end: Termination, waiting: Waiting): ReceiptEnd {
  const { reason, at, origin, scope, initiatingClient, actor, owed } = end
  const relyingParties = owed.map(({ delivery, registration: { clientId, sid } }) => ({
    clientId,
    sid,
    delivery,
    ...entryOf(logout.deliveries.get(delivery) ?? { kind: 'pending', attempts: 0 }, at, waiting),
    ...failuresOf(logout, delivery),
  }))
  const times = relyingParties.map(({ timeToLogoutMs }) => timeToLogoutMs).filter((ms) => ms !== undefined)
  const isConfirmed = times.length > 0 && times.length === relyingParties.length
  return {
    reason,
    at,
    origin,
    scope: scope === 'session' ? 'session' : 'logins',
    ...(initiatingClient !== undefined && { initiatingClient }),
    ...(actor !== undefined && { actor }),
    relyingParties,
    ...(isConfirmed && { timeToLogoutMs: times.reduce((most, ms) => Math.max(most, ms)) }),
  }
}

function failuresOf({ failures }: SessionLogout, delivery: string): Pick<ReceiptEntry, 'failures'> {
  const known = failures.get(delivery)
  return known ? { failures: [...known] } : {}
}

type Entry = Omit<ReceiptEntry, 'clientId' | 'sid' | 'delivery'>

function entryOf(delivery: DeliveryState, endedAt: number, waiting: Waiting): Entry {
  const replays = roundOf(delivery)
  return { ...standingOf(delivery, endedAt, waiting), ...(replays > 0 && { replays }) }
}

function standingOf(delivery: DeliveryState, endedAt: number, waiting: Waiting): Entry {
  switch (delivery.kind) {
    case 'pending': {
      const { attempts, lastFailure } = delivery
      const failureReason =
        lastFailure?.error ?? (lastFailure?.status !== undefined ? `HTTP ${lastFailure.status}` : undefined)
      return {
        state: 'pending',
        attempts,
        ...(lastFailure?.status !== undefined && { status: lastFailure.status }),
        ...(failureReason !== undefined && { failureReason }),
        ...(lastFailure && { nextAttemptAt: lastFailure.next_attempt_at }),
      }
    }
    case 'confirmed':
      return {
        state: 'confirmed',
        attempts: delivery.attempt,
        at: delivery.at,
        status: delivery.status,
        timeToLogoutMs: Math.max(0, delivery.at - endedAt - waiting(endedAt, delivery.at)),
      }
    case 'rejected':
      return {
        state: 'rejected',
        attempts: delivery.attempt,
        at: delivery.at,
        status: delivery.status,
        failureReason: delivery.answer,
      }
    case 'abandoned':
      return {
        state: 'abandoned',
        attempts: delivery.attempts,
        at: delivery.at,
        ...(delivery.status !== undefined && { status: delivery.status }),
        failureReason: delivery.failureReason,
      }
    case 'superseded':
      return { state: 'superseded', attempts: delivery.attempts, at: delivery.at, failureReason: delivery.supersededBy }
  }
}
