import type { JsonObject } from '../../../lib/index.ts'

/** Under which the plugin keeps its note with a session's state. */
export const NOTE = 'back_channel_logout'

/** A login that was registered with the session: what the session's state remembers, so that none is asked for again. */
export interface Noted {
  readonly clientId: string
  readonly sid: string
  readonly withSid: boolean
}

/** What the plugin remembers of a session's logins, by the RPs' session ids. */
export interface Note {
  /** Those that are registered. */
  readonly logins: readonly Noted[]
  /** Those that were looked at with the feature on, and need not be told. */
  readonly looked: ReadonlySet<string>
  /** Those that were made with the feature off: they are looked at when it is on. */
  readonly unasked: ReadonlySet<string>
}

/** What is remembered of a session that no process with the plugin has written. */
const NOTHING: Note = { logins: [], looked: new Set(), unasked: new Set() }

/** Client ids are no field names: they may be anything. */
export function toNote({ logins, looked, unasked }: Note): JsonObject {
  return {
    logins: logins.map(({ clientId, sid, withSid }) => [clientId, sid, withSid]),
    ...(looked.size > 0 && { looked: [...looked] }),
    ...(unasked.size > 0 && { unasked: [...unasked] }),
  }
}

export function fromNote(note: JsonObject | undefined): Note {
  if (!note) return NOTHING
  const { looked = [], unasked = [] } = note as { looked?: string[]; unasked?: string[] }
  return { logins: notedIn(note), looked: new Set(looked), unasked: new Set(unasked) }
}

/** The registered logins of a session's note. */
export function notedIn(note: JsonObject | undefined): Noted[] {
  const logins = (note?.['logins'] ?? []) as [string, string, boolean][]
  return logins.map(([clientId, sid, withSid]) => ({ clientId, sid, withSid }))
}

/** Whether a process with the plugin has seen the login made. */
export function isKnown({ logins, looked, unasked }: Note, sid: string): boolean {
  return looked.has(sid) || unasked.has(sid) || logins.some((login) => login.sid === sid)
}
