import type { Reason } from '../reasons.ts'
import { positionOfEnd } from '../recording/delivery-id.ts'
import { isDead, type SessionLogout } from '../recording/session-logout.ts'
import { roundOf } from '../recording/session-logout-events.ts'

/** A logout token that the RP did not get, and that nobody tries to send any more. */
export interface DeadLetter {
  readonly delivery: string
  readonly sessionUid: string
  readonly clientId: string
  readonly sid: string
  /** Why the session ended. */
  readonly reason: Reason
  /** When the session's end was recorded, milliseconds since 1970. */
  readonly endedAt: number
  /** When it became a dead letter, milliseconds since 1970. */
  readonly at: number
  /** `rejected`: the RP refuses it for good. `abandoned`: no attempt succeeded, or nobody was there to be told. */
  readonly state: 'rejected' | 'abandoned'
  /** `refused`, `budget_spent`, `expired`, `client_deleted`, `no_uri` or `account_forgotten`. */
  readonly failureReason: string
  /** How often it was tried, since the last replay. */
  readonly attempts: number
  /** The RP's last HTTP status, where it answered. */
  readonly status?: number
  /** Why the last attempt had no answer. */
  readonly error?: string
  /** What the RP said to the last attempt: its first 1,000 characters, without what looks like a token. */
  readonly answer?: string
  /** How often it was replayed already. */
  readonly replays: number
}

/** A dead letter as it was found in the log. */
export interface FoundLetter {
  readonly letter: DeadLetter
  /** The account that it is about, sealed. */
  readonly sealedSubject: string
}

/**
 * The delivery as a dead letter, if it is one.
 *
 * @param issuer - in whose name the session ended: another one's is none of its dead letters
 */
export function deadLetterOf(logout: SessionLogout, delivery: string, issuer: string): FoundLetter | undefined {
  const state = logout.deliveries.get(delivery)
  const ends = logout.terminationsAt.get(positionOfEnd(delivery)) ?? []
  const end = ends.find(({ owed }) => owed.some((one) => one.delivery === delivery))
  const registration = end?.owed.find((one) => one.delivery === delivery)?.registration
  if (!state || !isDead(state) || !registration || end?.origin !== issuer) return undefined
  const { sealedSubject } = registration
  const common = {
    delivery,
    sessionUid: logout.uid,
    clientId: registration.clientId,
    sid: registration.sid,
    reason: end.reason,
    endedAt: end.at,
    at: state.at,
    replays: roundOf(state),
  }
  if (state.kind === 'rejected') {
    const { attempt: attempts, status, answer } = state
    return {
      sealedSubject,
      letter: { ...common, state: 'rejected', failureReason: 'refused', attempts, status, answer },
    }
  }
  const { failureReason, attempts, status, error, answer } = state
  const letter: DeadLetter = {
    ...common,
    state: 'abandoned',
    failureReason,
    attempts,
    ...(status !== undefined && { status }),
    ...(error !== undefined && { error }),
    ...(answer !== undefined && { answer }),
  }
  return { sealedSubject, letter }
}
