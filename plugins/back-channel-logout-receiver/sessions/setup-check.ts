import type { Logger } from '../../../lib/logger.ts'

/** What a receiver needs of a logger. */
export type ReceiverLogger = Pick<Logger, 'warn'>

/**
 * Detects a receiver that accepts logouts but cannot end sessions, because `onLogin` is never called or sessions are never
 * checked. Nothing else shows this: the responses are 200, and the OP records the logouts as confirmed.
 *
 * The check is made at each logout, since it is not possible before the first one. Shortly after its start a process may
 * not have seen a logged-in user yet; hence each warning is logged once, and says that it is about the time since the start.
 */
export class SetupCheck {
  readonly #logger: ReceiverLogger
  #hasSeenLogin = false
  #hasCheckedSession = false
  #hasWarnedOfLogin = false
  #hasWarnedOfCheck = false

  constructor(logger: ReceiverLogger) {
    this.#logger = logger
  }

  /** A login was recorded in a session, or a session with a recorded login was checked. */
  recordLoginSeen(): void {
    this.#hasSeenLogin = true
  }

  recordSessionChecked(): void {
    this.#hasCheckedSession = true
  }

  logoutReceived(): void {
    if (!this.#hasSeenLogin && !this.#hasWarnedOfLogin) {
      this.#hasWarnedOfLogin = true
      this.#logger.warn(
        { event: 'login_never_recorded', component: 'receiver' },
        'a logout token was accepted, but since this process started onLogin() was never called and no checked session ' +
          'had a recorded login. Call sessions.onLogin(session, claims) in the login callback, or no session can be logged out',
      )
    }
    if (!this.#hasCheckedSession && !this.#hasWarnedOfCheck) {
      this.#hasWarnedOfCheck = true
      this.#logger.warn(
        { event: 'session_never_checked', component: 'receiver' },
        'a logout token was accepted, but since this process started no session was checked. Use koaSessionCheck, ' +
          'expressSessionCheck or sessions.isLoggedOut() at each request, or everybody stays logged in',
      )
    }
  }
}
