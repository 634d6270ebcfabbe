import type { Reason } from '../reasons.ts'
import type { FailedAttempt } from './failed-attempts.ts'
import type { AttemptFailed, Terminated } from './session-logout-events.ts'

/** A login of the session at an RP that is still to be told of its end. */
export interface Registration {
  readonly clientId: string
  readonly sid: string
  /** The account, sealed under the session_logout stream. */
  readonly sealedSubject: string
  readonly includeSid: boolean
  /** Whether the client had a URI at the login; else it is owed a token only if it has one when the end is planned. */
  readonly hasUri: boolean
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
  readonly initiatingClient?: string
  readonly owed: readonly Owed[]
  /** What is owed only if the client, which had no known URI at the login, has one when this is planned. */
  readonly undecided: readonly Owed[]
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

/** How a delivery stands in a round. */
export type Standing =
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
      readonly failureReason: string
      readonly attempts: number
      /** How the last attempt failed. */
      readonly status?: number
      readonly error?: string
      readonly answer?: string
    }
  | { readonly kind: 'superseded'; readonly at: number; readonly supersededBy: string; readonly attempts: number }

/** How a dead letter stands. */
export type DeadLetterState = Extract<DeliveryState, { readonly kind: 'rejected' | 'abandoned' }>

/** The fold of one session's logout. */
export interface SessionLogout {
  readonly uid: string
  /** Logins that have not ended, by client and sid. */
  readonly registrations: ReadonlyMap<string, Registration>
  readonly terminations: readonly Termination[]
  /** The same, by the position of their commit. */
  readonly terminationsAt: ReadonlyMap<number, readonly Termination[]>
  readonly deliveries: ReadonlyMap<string, DeliveryState>
  /** The last attempts of each delivery that failed, the oldest first. */
  readonly failures: ReadonlyMap<string, readonly FailedAttempt[]>
}

/** Whether the delivery is a dead letter: the RP was not told, and nobody tries any more. */
export function isDead(delivery: DeliveryState): delivery is DeadLetterState {
  return delivery.kind === 'rejected' || delivery.kind === 'abandoned'
}
