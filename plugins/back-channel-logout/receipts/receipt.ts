import type { Reason } from '../reasons.ts'
import type { FailedAttempt } from '../recording/failed-attempts.ts'
import type { DeliveryState, SessionLogout } from '../recording/session-logout.ts'
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
  /** The whole session, or single logins. */
  readonly whole: boolean
  /** The client that asked for it. */
  readonly byClient?: string
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
  readonly why?: string
  /** Milliseconds since 1970; only while pending after a failure. */
  readonly nextAttemptAt?: number
  /** From the end until this RP confirmed, in milliseconds. */
  readonly timeToLogoutMs?: number
  /** The attempts that failed, the oldest first, of all rounds; the last 25. Absent: none. */
  readonly failures?: readonly FailedAttempt[]
}

/** How long, between two times in milliseconds since 1970, nobody could be told: milliseconds that do not count. */
export type Waiting = (from: number, to: number) => number

/**
 * The receipt is a view of the fold: it holds nothing that the log does not.
 *
 * @param waiting - what is not counted in a time to logout. Default: everything counts
 */
export function receiptOf(logout: SessionLogout, waiting: Waiting = () => 0): Receipt {
  const ends = logout.terminations.map(({ reason, at, origin, scope, byClient, actor, owed }) => ({
    reason,
    at,
    origin,
    whole: scope === 'session',
    ...(byClient !== undefined && { byClient }),
    ...(actor !== undefined && { actor }),
    relyingParties: owed.map(({ delivery, registration: { clientId, sid } }) => ({
      clientId,
      sid,
      delivery,
      ...entryOf(logout.deliveries.get(delivery) ?? { kind: 'pending', attempts: 0 }, at, waiting),
      ...failuresOf(logout, delivery),
    })),
  }))
  return receiptWith(logout.uid, ends)
}

/** The receipt of these ends, with what follows from their entries. */
export function receiptWith(sessionUid: string, ends: readonly Omit<ReceiptEnd, 'timeToLogoutMs'>[]): Receipt {
  return {
    sessionUid,
    ends: ends.map((end) => {
      const times = end.relyingParties.map(({ timeToLogoutMs }) => timeToLogoutMs).filter((ms) => ms !== undefined)
      const confirmed = times.length > 0 && times.length === end.relyingParties.length
      return { ...end, ...(confirmed && { timeToLogoutMs: Math.max(...times) }) }
    }),
    settled: ends.every(({ relyingParties }) => relyingParties.every(({ state }) => state !== 'pending')),
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
      const why = lastFailure?.error ?? (lastFailure?.status !== undefined ? `HTTP ${lastFailure.status}` : undefined)
      return {
        state: 'pending',
        attempts,
        ...(lastFailure?.status !== undefined && { status: lastFailure.status }),
        ...(why !== undefined && { why }),
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
        why: delivery.answer,
      }
    case 'abandoned':
      return {
        state: 'abandoned',
        attempts: delivery.attempts,
        at: delivery.at,
        ...(delivery.status !== undefined && { status: delivery.status }),
        why: delivery.why,
      }
    case 'superseded':
      return { state: 'superseded', attempts: delivery.attempts, at: delivery.at, why: delivery.why }
  }
}
