import { isObject } from '../claim-rules.ts'
import { ReceiverOptionError } from '../option-error.ts'

/** The claims of an ID token that are used here: OpenID Connect Core 1.0 section 2, Back-Channel Logout 1.0 section 2.1. */
export interface IdTokenClaims {
  readonly iss: string
  readonly sub: string
  readonly sid?: unknown
  readonly iat: number
}

/** The claims of its login's ID token that a session stores. */
export interface SessionLogin {
  readonly iss: string
  readonly sub: string
  readonly sid?: string
  readonly iat: number
}

/** The member of the session that holds its {@link SessionLogin}. */
const MEMBER = 'backChannelLogin'

/** @throws {ReceiverOptionError} when there is no session, or the claims are not those of an ID token */
export function recordLogin(session: object, claims: IdTokenClaims): void {
  if (!isObject(session))
    throw new ReceiverOptionError('session', 'must be an object: has the session middleware run before this?')
  const login = loginOf(claims)
  if (login === undefined) {
    throw new ReceiverOptionError('claims', 'must be the claims of an ID token: iss, sub and iat are required')
  }
  Object.assign(session, { [MEMBER]: login })
}

/** Undefined when no login was recorded; `unreadable` when the member holds something else. */
export function recordedLogin(session: object | null | undefined): SessionLogin | 'unreadable' | undefined {
  if (session === undefined || session === null || !(MEMBER in session)) return undefined
  return loginOf(session[MEMBER]) ?? 'unreadable'
}

function loginOf(claims: unknown): SessionLogin | undefined {
  if (!isObject(claims)) return undefined
  const { iss, sub, sid, iat } = claims
  if (!isText(iss) || !isText(sub) || !isTime(iat)) return undefined
  return { iss, sub, ...(isText(sid) && { sid }), iat }
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

export function isTime(value: unknown): value is number {
  return Number.isFinite(value)
}
