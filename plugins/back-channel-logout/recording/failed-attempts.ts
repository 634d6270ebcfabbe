import type { Abandoned, AttemptFailed, Rejected } from './session-logout-events.ts'

/** An attempt that failed, and what the RP said to it. */
export interface FailedAttempt {
  /** Which, counted from 1; from the last replay on, anew. */
  readonly attempt: number
  /** When that was recorded, milliseconds since 1970. */
  readonly at: number
  /** The RP's HTTP status, where it answered. */
  readonly status?: number
  /** Why it had no answer. */
  readonly error?: string
  /** What the RP said: its first 1,000 characters, without what looks like a token. */
  readonly answer?: string
}

/** So many of a delivery are remembered, the last ones. */
export const KEPT_FAILURES = 25

/** The attempt that the fact says has failed. Undefined: the delivery ended without one. */
export function failedAttemptOf(event: AttemptFailed | Rejected | Abandoned, at: number): FailedAttempt | undefined {
  if (event.type === 'session_logout.back_channel.abandoned') {
    if (event.failure_reason !== 'budget_spent') return undefined
    return { attempt: event.attempts, at, ...said(event) }
  }
  return { attempt: event.attempt, at, ...said(event) }
}

function said({ status, error, answer }: Partial<FailedAttempt>): Pick<FailedAttempt, 'status' | 'error' | 'answer'> {
  return {
    ...(status !== undefined && { status }),
    ...(error !== undefined && { error }),
    ...(answer !== undefined && answer !== '' && { answer }),
  }
}
