import { inParallel } from '../../../lib/in-parallel.ts'
import type { SessionState } from '../../../lib/index.ts'
import { firstOf } from '../../../lib/web/some-of.ts'
import { descriptionIn, type LoginDescription } from '../remembered/description.ts'
import { NOTE, usedAtIn } from '../remembered/login-observer.ts'
import type { SignedIn } from '../who/signed-in.ts'
import { type App, appsOf } from './client-names.ts'
import { knownTime } from './known-time.ts'
import type { OwnParts } from './parts.ts'

/** A session of the account that lives, as it is told to its owner. */
export interface OwnSession extends LoginDescription {
  /** By which it is ended: the session's uid. */
  readonly id: string
  /** Whether it is the one of this browser. */
  readonly isCurrent: boolean
  /** When the user logged in, milliseconds since 1970; absent where the provider does not know. */
  readonly loggedInAt?: number
  /** When it was used last at the OP, milliseconds since 1970; absent where that is not known. */
  readonly usedAt?: number
  /** When it expires, as it stands, milliseconds since 1970; absent: never. */
  readonly expiresAt?: number
  /** The apps that it is logged in at. */
  readonly apps: readonly App[]
}

/** Some of a list, and whether there are more. */
export interface Some<T> {
  readonly items: readonly T[]
  readonly more: boolean
}

/** So many sessions are read at a time. */
const AT_ONCE = 16

/** The live sessions of an account: the one of this browser first, then those that were used last. */
export async function ownSessions(
  parts: OwnParts,
  { accountId, sessionUid }: SignedIn,
  limit: number,
): Promise<Some<OwnSession>> {
  const { logout, host } = parts
  const { items, more } = await firstOf(logout.sessions({ account: accountId }, { limit: limit + 1 }), limit)
  const found = new Map<string, SessionState | undefined>()
  // Where there are many it may be among those that are not told.
  for (const uid of [...(sessionUid === undefined ? [] : [sessionUid]), ...items.map((session) => session.uid)])
    found.set(uid, undefined)
  await inParallel([...found.keys()], AT_ONCE, async (uid) => {
    found.set(uid, await ownSession(host, accountId, uid))
  })
  const states = [...found.values()].filter((state) => state !== undefined)
  const apps = await appsOf(host, new Set(states.flatMap(clientIdsOf)))
  const shown = (state: SessionState): App[] =>
    clientIdsOf(state).flatMap((clientId) => (parts.hidden.has(clientId) ? [] : (apps.get(clientId) ?? [])))
  return {
    items: states.slice(0, limit).map((state) => toOwnSession(state, state.uid === sessionUid, shown(state))),
    more: more || states.length > limit,
  }
}

/** The session of this uid, if it lives and is the account's. */
export async function ownSession(
  { terminator, clock }: Pick<OwnParts['host'], 'terminator' | 'clock'>,
  accountId: string,
  uid: string,
): Promise<SessionState | undefined> {
  const status = await terminator.status(uid)
  if (!status || !('live' in status)) return undefined
  const { payload } = status.live
  const { exp } = payload
  const isExpired = typeof exp === 'number' && exp * 1_000 <= clock.now()
  return payload['accountId'] === accountId && !isExpired ? status.live : undefined
}

/** The clients that have a login in the session: without a sid one was only started. */
export function clientIdsOf({ payload: { authorizations } }: Pick<SessionState, 'payload'>): string[] {
  if (typeof authorizations !== 'object' || authorizations === null) return []
  const logins: [string, { readonly sid?: unknown } | null][] = Object.entries(authorizations)
  return logins.flatMap(([clientId, login]) => (typeof login?.sid === 'string' ? [clientId] : []))
}

function toOwnSession(state: SessionState, isCurrent: boolean, apps: readonly App[]): OwnSession {
  const { loginTs, exp } = state.payload
  const note = state.note(NOTE)
  const usedAt = usedAtIn(note)
  const loggedInAt = typeof loginTs === 'number' ? knownTime(loginTs * 1_000) : undefined
  const expiresAt = typeof exp === 'number' ? knownTime(exp * 1_000) : undefined
  return {
    id: state.uid,
    isCurrent,
    ...descriptionIn(note),
    ...(loggedInAt !== undefined && { loggedInAt }),
    ...(usedAt !== undefined && { usedAt }),
    ...(expiresAt !== undefined && { expiresAt }),
    apps,
  }
}
