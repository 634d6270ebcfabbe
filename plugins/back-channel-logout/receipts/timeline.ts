import type { Reason } from '../reasons.ts'

/** What happened to a session's logout, the oldest first. */
export interface LogoutTimeline {
  readonly sessionUid: string
  readonly entries: readonly TimelineEntry[]
  /** Whether there is more than was read: the newest 1,000 commits that name the session's logout. */
  readonly isCut: boolean
}

/** Something that happened, and the commit that says so. Times are milliseconds since 1970. */
export type TimelineEntry = {
  /** When it was recorded. */
  readonly at: number
  /** The commit's place in the log. */
  readonly position: number
} & (
  | {
      /** An RP got a login of the session. */
      readonly kind: 'registered'
      readonly clientId: string
      readonly sid: string
    }
  | {
      /** The session ended, or logins in it: what else the same commit did stands beside it. */
      readonly kind: 'ended'
      readonly reason: Reason
      readonly scope: 'session' | 'logins'
      readonly origin: string
      readonly actor?: string
      readonly initiatingClient?: string
      /** What the same commit did, as `<model> <what>` (`Session destroyed`), each once. */
      readonly beside: readonly string[]
      /** The deliveries that are owed for it. */
      readonly deliveries: readonly { readonly delivery: string; readonly clientId: string; readonly sid: string }[]
    }
  | {
      /** A client that had no known URI at its login has one: it is told as well. */
      readonly kind: 'owed'
      readonly delivery: string
      readonly clientId: string
    }
  | {
      /** An attempt failed, and the next one is at `nextAttemptAt`. */
      readonly kind: 'attempt_failed'
      readonly delivery: string
      readonly clientId: string
      readonly attempt: number
      /** How often it was replayed before. */
      readonly replays: number
      readonly status?: number
      readonly error?: string
      /** What the RP said: its start, without what looks like a token. */
      readonly answer?: string
      readonly nextAttemptAt: number
    }
  | {
      /** The RP confirmed. */
      readonly kind: 'confirmed'
      readonly delivery: string
      readonly clientId: string
      readonly attempt: number
      readonly replays: number
      readonly status: number
      /** How long the attempt took, in milliseconds. */
      readonly tookMs: number
      /** From the end until then, without the time in which nothing could be sent, in milliseconds. */
      readonly timeToLogoutMs?: number
    }
  | {
      /** The RP refuses for good. */
      readonly kind: 'rejected'
      readonly delivery: string
      readonly clientId: string
      readonly attempt: number
      readonly replays: number
      readonly status: number
      readonly answer: string
    }
  | {
      /** Nobody tries any more. */
      readonly kind: 'abandoned'
      readonly delivery: string
      readonly clientId: string
      readonly attempts: number
      readonly replays: number
      readonly failureReason: string
      readonly status?: number
      readonly error?: string
      readonly answer?: string
    }
  | {
      /** It was not sent, since it would have ended a newer login. */
      readonly kind: 'superseded'
      readonly delivery: string
      readonly clientId: string
      readonly attempts: number
      readonly replays: number
    }
  | {
      /** An operator had a dead letter sent again. */
      readonly kind: 'replayed'
      readonly delivery: string
      readonly clientId: string
      readonly actor: string
      /** Which time that was, from 1. */
      readonly replays: number
    }
)
