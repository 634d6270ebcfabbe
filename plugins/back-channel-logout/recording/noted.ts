import type { JsonObject } from '../../../lib/index.ts'

/** Under which the plugin keeps its note with a session's state. */
export const NOTE = 'back_channel_logout'

/** A login that was registered with the session: what the session's state remembers, so that none is asked for again. */
export interface Noted {
  readonly clientId: string
  readonly sid: string
  readonly withSid: boolean
}

/** Client ids are no field names: they may be anything. */
export function noteOf(noted: readonly Noted[], complete: boolean): JsonObject {
  return { complete, logins: noted.map(({ clientId, sid, withSid }) => [clientId, sid, withSid]) }
}

export function notedIn(note: JsonObject | undefined): Noted[] {
  const logins = (note?.['logins'] ?? []) as [string, string, boolean][]
  return logins.map(([clientId, sid, withSid]) => ({ clientId, sid, withSid }))
}
