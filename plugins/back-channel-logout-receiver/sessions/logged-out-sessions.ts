import { createHash } from 'node:crypto'
import { systemClock } from '../../../lib/clock.ts'
import type { LogoutNotice } from '../logout-request.ts'
import { callable, knownOptions, positive, ReceiverOptionError } from '../option-error.ts'
import { ReceiverStoreError } from '../receiver-store-error.ts'
import { withTimeout } from '../time-limit.ts'
import type { LoggedOutStore } from './logged-out-store.ts'
import { type IdTokenClaims, isText, isTime, notedLogin, noteLogin } from './session-login.ts'
import { consoleLogger, type ReceiverLogger, SetupCheck } from './setup-check.ts'

export interface LoggedOutSessionsOptions {
  /** Where logouts are remembered: one that all processes of the RP share. */
  store: LoggedOutStore
  /**
   * How long, in seconds, a session of this RP lives without being used: what its session middleware calls `maxAge`
   * (often in milliseconds there), or its absolute duration where that is longer. A logout is remembered for that long
   * and an hour more. If it is too short, a session that was logged out and then left alone can come back.
   */
  sessionMaxAgeSeconds: number
  /** The clock: milliseconds since the epoch. Default: the machine's. */
  now?: () => number
  /** How long one call to the store may take before it counts as failed, in milliseconds. Default 5000. */
  timeoutMs?: number
  /**
   * Is warned when logouts arrive and nothing can come of them: `onLogin` was never called (`event:
   * 'login_never_recorded'`), or no session was ever checked (`'session_never_checked'`). Called as pino is. Default: the
   * console.
   */
  logger?: ReceiverLogger
}

/**
 * Ends sessions by remembering what was logged out and asking at each request, which works for every session store,
 * for sessions that live in cookies, for many processes, and for requests that were under way during the logout.
 *
 * Which sessions a logout token ends (Back-Channel Logout 1.0 sections 2.6 and 2.7):
 *
 * - with `sid`: the sessions whose login had this sid, whenever it was. A later login has another sid.
 * - without `sid`: those of `sub` whose login is not later than the logout. The login's time is the `iat` of its ID
 *   token, the logout's is the `toe` (time of event, RFC 8417 section 2.2) of the logout token, or its `iat` if it has
 *   no earlier `toe`. Both are read off the OP's clock, so the RP's does not matter. In the same second they count as
 *   "not later": it is better to log in twice than to stay logged in.
 * - a session whose ID token had no sid is ended like one without, even if the logout token has one: it may be the one.
 */
export interface LoggedOutSessions {
  /** The receiver's `onLogout`. Rejects when the store does, so that the OP tries again. */
  readonly onLogout: (notice: LogoutNotice) => Promise<void>
  /**
   * The same for the claims of a logout token that somebody else has verified.
   *
   * @throws {TypeError} when they are not those of a logout token
   */
  readonly onLogoutToken: (claims: object) => Promise<void>
  /**
   * Notes in the session which login it stems from (in its member `backChannelLogin`). To be called at each login, with
   * the claims of the ID token of that login; not with those of one that came with a refresh, which is younger.
   *
   * @throws {TypeError} when they are not those of an ID token
   */
  readonly onLogin: (session: object, claims: IdTokenClaims) => void
  /**
   * Whether the session was logged out. False for none, and for one that `onLogin` has not seen. Rejects when the store
   * does: let the request fail then.
   */
  readonly isLoggedOut: (session: object | null | undefined) => Promise<boolean>
}

/** For the clocks of the RP's processes and its stores, and for requests that renew a session while it is logged out. */
const MARGIN_SECONDS = 60 * 60

/** @throws {ReceiverOptionError} `OPTION_INVALID` */
export function loggedOutSessions(options: LoggedOutSessionsOptions): LoggedOutSessions {
  knownOptions(options, ['store', 'sessionMaxAgeSeconds', 'now', 'timeoutMs', 'logger'])
  const { store, sessionMaxAgeSeconds, now = systemClock.now, logger = consoleLogger } = options
  if (typeof store?.remember !== 'function' || typeof store.recall !== 'function') {
    throw new ReceiverOptionError(
      'store',
      'must have remember and recall; inExpressSessionStore and inKoaSessionStore make one of a session store',
    )
  }
  if (!Number.isFinite(sessionMaxAgeSeconds) || sessionMaxAgeSeconds <= 0) {
    throw new ReceiverOptionError('sessionMaxAgeSeconds', 'must be a finite number of seconds, more than zero')
  }
  callable('now', now)
  if (typeof logger?.warn !== 'function') throw new ReceiverOptionError('logger', 'must have a method warn')
  const timeoutMs = positive('timeoutMs', options.timeoutMs, 5_000)
  const setup = new SetupCheck(logger)

  const ask = <T>(call: () => Promise<T>): Promise<T> => {
    const late = (): Error => new ReceiverStoreError(`the store has not answered for ${timeoutMs} ms`)
    return withTimeout(call, timeoutMs, late)
  }

  const onLogoutToken = async (claims: object): Promise<void> => {
    const { keys, loggedOutAt } = logoutOf(claims)
    const seconds = now() / 1000
    const expiresAt = seconds + sessionMaxAgeSeconds + MARGIN_SECONDS
    setup.logoutReceived()
    await ask(() => store.remember(keys.map((key) => ({ key, loggedOutAt, expiresAt, now: seconds }))))
  }

  return {
    onLogout: ({ token }) => onLogoutToken(token.claims),
    onLogoutToken,
    onLogin(session, claims) {
      noteLogin(session, claims)
      setup.loginSeen()
    },
    async isLoggedOut(session) {
      setup.sessionChecked()
      const login = notedLogin(session)
      if (login === undefined) return false
      setup.loginSeen()
      // Nothing can be said of it, so it must not go on.
      if (login === 'unreadable') return true
      const { iss, sub, sid, iat } = login
      const ofSession = sid === undefined ? key('sub of sid', iss, sub) : key('sid', iss, sid)
      const [byUser, bySession] = await ask(() => store.recall([key('sub', iss, sub), ofSession]))
      if (sid !== undefined && bySession !== undefined) return true
      return [byUser, bySession].some((loggedOutAt) => loggedOutAt !== undefined && iat <= loggedOutAt)
    },
  }
}

/** What a logout token says: under which keys it is remembered, and since when it holds. */
function logoutOf(claims: object): { keys: readonly string[]; loggedOutAt: number } {
  const { iss, sub, sid, iat, toe } = claims as Readonly<Record<string, unknown>>
  if (!isText(iss) || !isTime(iat) || !(isText(sub) || isText(sid))) {
    throw new TypeError('these are no claims of a logout token: iss, iat, and sub or sid are needed')
  }
  const loggedOutAt = isTime(toe) ? Math.min(toe, iat) : iat
  const bySession = isText(sid) ? [key('sid', iss, sid)] : []
  const byUser = isText(sub) ? [key(isText(sid) ? 'sub of sid' : 'sub', iss, sub)] : []
  return { keys: [...bySession, ...byUser], loggedOutAt }
}

function key(kind: 'sub' | 'sid' | 'sub of sid', issuer: string, value: string): string {
  return createHash('sha256')
    .update(JSON.stringify([kind, issuer, value]))
    .digest('base64url')
}
