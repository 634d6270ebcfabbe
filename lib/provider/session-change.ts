import type { Appended, JsonObject, NewEvent } from '../log/commit.ts'
import type { Payload } from './models.ts'
import type { RequestContext } from './request-context.ts'

/** Why a session is ended that its user did not end at the browser. */
export interface Cause {
  /** Free text, given by the caller. */
  readonly reason: string
  /** Who did it, where that is not the user: an operator, `system`. */
  readonly actor?: string
  /** The client on whose behalf the user was asked. */
  readonly initiatingClient?: string
  /** What it is a part of, where many sessions are ended by one call. */
  readonly terminationId?: string
}

/** A session as a request found it and as it leaves it. */
export interface SessionChange {
  /** The session's stable identity; its cookie value rotates. */
  readonly uid: string
  /** Absent when the session is new. */
  readonly before?: Payload
  /** Absent when the session ends. */
  readonly after?: Payload
  /** What the observer itself noted with the state before. */
  readonly note?: JsonObject
  /** The provider's request in which this happens; absent when application code writes the session. */
  readonly request?: RequestContext
  /** Present when it is ended, wholly or in part, by neither a request nor application code. */
  readonly cause?: Cause
}

/** What an observer adds to the commit that changes the session. */
export interface Observation {
  /** Facts to record in the same commit. */
  readonly events: readonly NewEvent[]
  /** What to remember with the new state; replaces the former note. Ignored when the session ends. */
  readonly note?: JsonObject
}

/**
 * Sees every change of a session in the commit that makes it: the one place through which sessions begin, change and
 * end. May be asked again for the same change, on top of a newer state, so it must have no effect of its own.
 */
export interface SessionObserver {
  /** Under which its notes are kept. */
  readonly name: string
  sessionChanges(change: SessionChange): Promise<Observation> | Observation
  /**
   * Called when a commit of this process is stored, its own facts among the events. A process that dies before that
   * never calls it: whatever must happen follows from the log. Must neither throw nor wait.
   */
  committed?(appended: Appended, events: readonly NewEvent[]): void
}
