import type { Logger } from '../../../lib/logger.ts'

/** What a receiver needs of a logger. */
export type ReceiverLogger = Pick<Logger, 'warn'>

/** Used where the RP gives no logger: a warning that nobody sees would be none. */
export const consoleLogger: ReceiverLogger = {
  // biome-ignore lint/suspicious/noConsole: the default of an option that every RP can set
  warn: (fields, message) => console.warn(message, fields),
}

/**
 * Notices that logouts arrive at a receiver that can end no session: one whose `onLogin` is never called, or whose
 * sessions are never checked. Everything else would look right, the OP's receipts included.
 *
 * The first logout is the earliest moment at which that can be told. A process that has just started may not have met a
 * logged-in user yet; hence each warning comes once, and says since when.
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

  /** A login was recorded in a session, or a session was found that holds one. */
  loginSeen(): void {
    this.#hasSeenLogin = true
  }

  sessionChecked(): void {
    this.#hasCheckedSession = true
  }

  logoutReceived(): void {
    if (!this.#hasSeenLogin && !this.#hasWarnedOfLogin) {
      this.#hasWarnedOfLogin = true
      this.#logger.warn(
        { event: 'login_never_recorded' },
        'a logout token was accepted, but since this process started onLogin() was never called and no checked session ' +
          'held a login. Call sessions.onLogin(session, claims) in the login callback, or no session can be logged out',
      )
    }
    if (!this.#hasCheckedSession && !this.#hasWarnedOfCheck) {
      this.#hasWarnedOfCheck = true
      this.#logger.warn(
        { event: 'session_never_checked' },
        'a logout token was accepted, but since this process started no session was checked. Use koaSessionCheck, ' +
          'expressSessionCheck or sessions.isLoggedOut() at each request, or everybody stays logged in',
      )
    }
  }
}
