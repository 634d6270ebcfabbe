/** A JSON value: what every store can keep and give back unchanged. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
/** A JSON object. */
export type JsonObject = { readonly [key: string]: Json }

/** A fact, as the caller states it. */
export interface NewEvent {
  /** The stream it belongs to: everything that happened to one thing. */
  readonly stream: string
  /** Further streams that it is found by (indexes, and its own stream's name under another hashing key). */
  readonly also?: readonly string[]
  /** What happened, in the past tense. */
  readonly type: string
  /**
   * Its number in a versioned stream, from 1, without gaps. One commit only can hold each; the loser gets a
   * ConcurrencyError. Absent in streams that are not versioned.
   */
  readonly version?: number
  readonly data: JsonObject
}

/** A fact, as it was stored. */
export type Event = NewEvent

/** A string that only one commit may ever hold, and what holding it means. */
export type Claim =
  /** A once-only mark: the second commit that wants it is refused with AlreadyClaimedError. */
  | { readonly kind: 'once'; readonly mark: string }
  /** "I follow the state that commit `after` left in `stream`": one commit only may. The loser: ConcurrencyError. */
  | { readonly kind: 'follows'; readonly stream: string; readonly after: string }

/** Who and what caused a commit. */
export interface Meta {
  /** The issuer that this belongs to: two OPs may share a database. */
  readonly instance?: string
  /** Who did it, where that is not the user of the request: an operator, `system`. */
  readonly actor?: string
  /** W3C trace context of the request (`traceparent`). */
  readonly trace?: string
}

/** One append: one position, one or more events, atomic across all the streams it names. */
export interface NewCommit {
  readonly events: readonly NewEvent[]
  readonly claims?: readonly Claim[]
  readonly meta?: Meta
  /** When the state written expires, in milliseconds since 1970; for retention only. */
  readonly expiresAt?: number
}

/** What an append returns. */
export interface Appended {
  /** The commit's place in the log. Dense: every number is a commit or a tombstone. */
  readonly position: number
  /** The commit's id, made by the writer. */
  readonly id: string
  /** The trace context that it was stored with, as an append with telemetry returns it. */
  readonly trace?: string
}

/** A commit as it was stored. */
export interface Commit extends Appended {
  readonly events: readonly Event[]
  readonly meta: Meta
  /** When it was appended, milliseconds since 1970; for people only. */
  readonly at: number
  readonly expiresAt?: number
}

/** Whether the event is in the stream, as its own or as one it is found by. */
export function isIn(event: NewEvent, stream: string): boolean {
  return event.stream === stream || (event.also?.includes(stream) ?? false)
}

/** All streams that a commit's events name, each once. */
export function streamsOf(events: readonly NewEvent[]): string[] {
  const streams = new Set<string>()
  for (const event of events) {
    streams.add(event.stream)
    for (const other of event.also ?? []) streams.add(other)
  }
  return [...streams]
}
