import { createHash } from 'node:crypto'
import type { JsonObject, Payload, SessionState } from '../../../lib/index.ts'
import { isClearText } from './clear-text.ts'

/** Under which the plugin keeps its note with a session's state. */
export const NOTE = 'back_channel_logout'

/** A login of a session at an RP. */
export interface Login {
  readonly clientId: string
  /** The RP's session id for it (Back-Channel Logout 1.0 section 2.1). */
  readonly sid: string
}

/** What is known of a login: whether it is registered, and whether its ID tokens carry the sid. */
export interface KnownLogin {
  readonly registered: boolean
  readonly includeSid: boolean
}

/**
 * The logins of a session. Without a sid one was only started: nothing was issued, there is nothing to tell. One whose
 * names cannot be recorded in the clear is left out: oidc-provider makes sids itself, and such a client id fits in no
 * request.
 */
export function loginsOf(payload: Payload | undefined): Login[] {
  return authorizationsOf(payload).flatMap(([clientId, { sid }]) =>
    typeof sid === 'string' && isClearText(sid) && isClearText(clientId) ? [{ clientId, sid }] : [],
  )
}

/**
 * The logins whose end is recorded: all of them while the feature is on, since those that are not registered yet are
 * registered with their end; else those that are.
 */
export function recordedLogins({ payload, note }: Pick<SessionState, 'payload' | 'note'>, isOn: boolean): Login[] {
  const known = fromNote(note(NOTE), payload)
  return loginsOf(payload).filter(({ sid }) => isOn || known.get(sid)?.registered)
}

/** Whether any login of the session is registered. */
export function hasRegistered({ note }: Pick<SessionState, 'note'>): boolean {
  return /[RB]/.test(String(note(NOTE)?.['are'] ?? ''))
}

/*
 * The note says of each login one letter, in the order of the sids, which the state itself holds: R is registered, B
 * registered and its ID tokens carry no sid (bare), r and b are not registered. It counts only for the very sids that it
 * was made for: a process without the plugin may have written the session since.
 */

export function toNote(known: ReadonlyMap<string, KnownLogin>, payload: Payload): JsonObject {
  const sids = sidsOf(payload)
  const are = sids.map((sid) => letterOf(known.get(sid) ?? { registered: false, includeSid: false })).join('')
  return { of: fingerprintOf(sids), are }
}

/** What is known of the logins of the state that the note belongs to, by sid. Nothing: it was made for others. */
export function fromNote(note: JsonObject | undefined, payload: Payload | undefined): Map<string, KnownLogin> {
  const sids = sidsOf(payload)
  const are = String(note?.['are'] ?? '')
  if (note?.['of'] !== fingerprintOf(sids)) return new Map()
  return new Map(sids.map((sid, index) => [sid, knownBy(are.charAt(index))]))
}

function letterOf({ registered, includeSid }: KnownLogin): string {
  const letter = includeSid ? 'r' : 'b'
  return registered ? letter.toUpperCase() : letter
}

function knownBy(letter: string): KnownLogin {
  return { registered: /[RB]/.test(letter), includeSid: /r/i.test(letter) }
}

function sidsOf(payload: Payload | undefined): string[] {
  return [...new Set(loginsOf(payload).map(({ sid }) => sid))].sort()
}

function fingerprintOf(sids: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(sids)).digest('base64url').slice(0, 16)
}

function authorizationsOf(payload: Payload | undefined): [string, { readonly sid?: unknown }][] {
  const authorizations = payload?.['authorizations']
  if (typeof authorizations !== 'object' || authorizations === null) return []
  return Object.entries(authorizations).filter(([, value]) => typeof value === 'object' && value !== null)
}
