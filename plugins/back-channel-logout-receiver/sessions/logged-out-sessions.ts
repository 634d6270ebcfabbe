import { createHash } from 'node:crypto'
import { systemClock } from '../../../lib/clock.ts'
import { consoleLogger } from '../../../lib/logger.ts'
import type { LogoutNotice } from '../logout-request.ts'
import { positiveNumber, ReceiverOptionError, requireFunction, requireKnownOptions } from '../option-error.ts'
import { ReceiverStoreError } from '../receiver-store-error.ts'
import { withTimeout } from '../time-limit.ts'
import type { LoggedOutStore } from './logged-out-store.ts'
import { type IdTokenClaims, isText, isTime, recordedLogin, recordLogin } from './session-login.ts'
import { type ReceiverLogger, SetupCheck } from './setup-check.ts'

export interface LoggedOutSessionsOptions {
  /** Where logouts are stored; all processes of the RP must share it. */
  store: LoggedOutStore
  /**
   * How long, in seconds, a session of this RP lives without being used: the `maxAge` of its session middleware (which is
   * often in milliseconds), or its absolute duration if that is longer. A logout is stored for that time and an hour more.
   * If it is too short, a session that was logged out can become valid again.
   */
  sessionMaxAgeSeconds: number
  /** The clock: milliseconds since the epoch. Default: the machine's. */
  now?: () => number
  /** The time limit of one call to the store, in milliseconds. Default 5000. */
  timeoutMs?: number
  /**
   * Receives a warning when logout tokens arrive that cannot have an effect: `onLogin` was never called (`event:
   * 'login_never_recorded'`), or no session was ever checked (`event: 'session_never_checked'`). Its signature is that of
   * pino. Default: the console.
   */
  logger?: ReceiverLogger
}

/**
 * Ends sessions by storing what was logged out and checking it at each request. This works for every session store, for
 * sessions in cookies, for several processes, and for requests that were running during the logout.
 *
 * Which sessions a logout token ends (Back-Channel Logout 1.0 sections 2.6 and 2.7):
 *
 * - with `sid`: the sessions whose login had this sid, at any time. A later login has another sid.
 * - without `sid`: those of `sub` whose login is not later than the logout. The login's time is the `iat` of its ID
 *   token, the logout's is the `toe` (time of event, RFC 8417 section 2.2) of the logout token, or its `iat` if it has
 *   no earlier `toe`. Both times are those of the OP's clock, so the RP's clock does not matter. A login in the same
 *   second counts as not later: logging in twice is better than staying logged in.
 * - a session whose ID token had no sid is treated as without `sid`, even if the logout token has one: it may be the
 *   session that is meant.
 */
export interface LoggedOutSessions {
  /** The receiver's `onLogout`. Rejects when the store does, so that the OP tries again. */
  readonly onLogout: (notice: LogoutNotice) => Promise<void>
  /**
   * The same for the claims of a logout token that was verified elsewhere.
   *
   * @throws {TypeError} when they are not those of a logout token
   */
  readonly onLogoutToken: (claims: object) => Promise<void>
  /**
   * Records the login in the session, as its member `backChannelLogin`. Call it at each login with the claims of the ID
   * token of that login, not with those of an ID token from a refresh, which is younger.
   *
   * @throws {ReceiverOptionError} (`OPTION_INVALID`) when there is no session, or they are not those of an ID token
   */
  readonly onLogin: (session: object, claims: IdTokenClaims) => void
  /**
   * Whether the session was logged out. False without a session, and for a session without a recorded login. Rejects when
   * the store fails: the request must fail then.
   */
  readonly isLoggedOut: (session: object | null | undefined) => Promise<boolean>
}

/** For differences between clocks, and for requests that extend a session while it is logged out. */
const MARGIN_SECONDS = 60 * 60

/** @throws {ReceiverOptionError} `OPTION_INVALID` */
export function loggedOutSessions(options: LoggedOutSessionsOptions): LoggedOutSessions {
  requireKnownOptions(options, ['store', 'sessionMaxAgeSeconds', 'now', 'timeoutMs', 'logger'])
  const { store, sessionMaxAgeSeconds, now = systemClock.now, logger = consoleLogger } = options
  if (typeof store?.remember !== 'function' || typeof store.recall !== 'function') {
    throw new ReceiverOptionError(
      'store',
      'must have remember and recall; expressSessionLoggedOutStore and koaSessionLoggedOutStore create one from a session store',
    )
  }
  if (!Number.isFinite(sessionMaxAgeSeconds) || sessionMaxAgeSeconds <= 0) {
    throw new ReceiverOptionError('sessionMaxAgeSeconds', 'must be a finite number of seconds greater than zero')
  }
  requireFunction('now', now)
  if (typeof logger?.warn !== 'function') throw new ReceiverOptionError('logger', 'must have a method warn')
  const timeoutMs = positiveNumber('timeoutMs', options.timeoutMs, 5_000)
  const setup = new SetupCheck(logger)

  const withLimit = <T>(call: () => Promise<T>): Promise<T> => {
    const timeoutError = (): Error => new ReceiverStoreError(`the store has not responded within ${timeoutMs} ms`)
    return withTimeout(call, timeoutMs, timeoutError)
  }

  const onLogoutToken = async (claims: object): Promise<void> => {
    const { keys, loggedOutAt } = logoutOf(claims)
    const seconds = now() / 1000
    const expiresAt = seconds + sessionMaxAgeSeconds + MARGIN_SECONDS
    setup.logoutReceived()
    await withLimit(() => store.remember(keys.map((key) => ({ key, loggedOutAt, expiresAt, now: seconds }))))
  }

  return {
    onLogout: ({ token }) => onLogoutToken(token.claims),
    onLogoutToken,
    onLogin(session, claims) {
      recordLogin(session, claims)
      setup.recordLoginSeen()
    },
    async isLoggedOut(session) {
      setup.recordSessionChecked()
      const login = recordedLogin(session)
      if (login === undefined) return false
      setup.recordLoginSeen()
      // It cannot be checked, so it must not be used.
      if (login === 'unreadable') return true
      const { iss, sub, sid, iat } = login
      const ofSession = sid === undefined ? key('sub of sid', iss, sub) : key('sid', iss, sid)
      const [byUser, bySession] = await withLimit(() => store.recall([key('sub', iss, sub), ofSession]))
      if (sid !== undefined && bySession !== undefined) return true
      return [byUser, bySession].some((loggedOutAt) => loggedOutAt !== undefined && iat <= loggedOutAt)
    },
  }
}

/** The keys under which a logout is stored, and its time. */
function logoutOf(claims: object): { keys: readonly string[]; loggedOutAt: number } {
  const { iss, sub, sid, iat, toe } = claims as Readonly<Record<string, unknown>>
  if (!isText(iss) || !isTime(iat) || !(isText(sub) || isText(sid))) {
    throw new TypeError('not the claims of a logout token: iss, iat, and sub or sid are required')
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
