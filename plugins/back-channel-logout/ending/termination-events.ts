import type { JsonObject, NewEvent } from '../../../lib/index.ts'
import type { Reason } from '../reasons.ts'
import { terminationStream } from '../recording/index-streams.ts'

/** Reasons that operators and applications may give for an end that they order. */
export type TerminationReason = Extract<
  Reason,
  'admin' | 'account_disabled' | 'account_deleted' | 'password_changed' | 'signed_out_everywhere'
>

export const TERMINATION_REASONS: readonly TerminationReason[] = [
  'admin',
  'account_disabled',
  'account_deleted',
  'password_changed',
  'signed_out_everywhere',
]

/** Why many sessions are ended: also since a user takes back what a client was allowed. */
export type OrderReason = TerminationReason | Extract<Reason, 'authorization_removed'>

/** Whose sessions are to end. */
export type TerminationTarget =
  /** `account` is sealed under the job's stream. */
  | {
      readonly kind: 'account'
      readonly account: string
      /** Only its logins and grants at this client; the sessions live on. */
      readonly client_id?: string
      /** The uid of a session that goes on. */
      readonly except?: string
    }
  | { readonly kind: 'client'; readonly client_id: string }
  | { readonly kind: 'all' }

/** What a job has come to. */
export interface Tally {
  /** Sessions that ended, or in which the client's login did. */
  readonly sessions: number
  /** Logins at RPs that ended, which the RPs are told unless their clients filter the reason out. */
  readonly logins: number
  /** Grants that were revoked. */
  readonly grants: number
}

export const NOTHING_YET: Tally = { sessions: 0, logins: 0, grants: 0 }

/** Sessions are to end. From now on that happens, whatever becomes of the process that was asked. */
export interface Ordered {
  readonly type: 'termination.ordered'
  readonly target: TerminationTarget
  readonly reason: OrderReason
  readonly actor: string
}

/** A grant that no live session held was revoked. */
export interface GrantRevoked {
  readonly type: 'termination.grant_revoked'
  readonly client_id: string
}

/** All of them have ended. */
export interface Completed extends Tally {
  readonly type: 'termination.completed'
  /** How many could not be ended; the process said why, where it happened. */
  readonly failed: number
}

/** All jobs of an issuer. */
export function terminationJobsStream(issuer: string): string {
  return `terminations:${issuer}`
}

/** The fact as an event of the log. */
export function toTerminationEvent(
  id: string,
  { type, ...data }: Ordered | GrantRevoked | Completed,
  also: readonly string[] = [],
): NewEvent {
  return { stream: terminationStream(id), ...(also.length > 0 && { also }), type, data: data as unknown as JsonObject }
}
