import { WebError } from '../../../lib/web/web-error.ts'

/** Who uses the page, as the application knows it. */
export interface SignedIn {
  readonly accountId: string
  /**
   * The uid of oidc-provider's session in this browser (`session.uid`, not its cookie value): the page marks it, and it goes
   * on when all others end. Absent: all of them are others.
   */
  readonly sessionUid?: string
  /** When the user last proved who he is, milliseconds since 1970: `session.loginTs * 1000` of oidc-provider's session. */
  readonly authenticatedAt: number
}

/** Why somebody is to log in. */
export type LoginReason = 'not_signed_in' | 'login_not_recent'

/** An error whose answer says where to log in. */
export class LoginNeededError extends WebError {
  readonly reason: LoginReason
  constructor(reason: LoginReason) {
    const { status, code, message } = ANSWERS[reason]
    super(status, code, message)
    this.reason = reason
  }
}

const ANSWERS = {
  not_signed_in: {
    status: 401,
    code: 'NOT_SIGNED_IN',
    message: 'nobody is signed in: log in at the URL that `login` names',
  },
  login_not_recent: {
    status: 403,
    code: 'LOGIN_NOT_RECENT',
    message: 'the login is too long ago to end or revoke anything: log in again at the URL that `login` names',
  },
} as const satisfies Record<LoginReason, object>

/** Times before 1973 in milliseconds: what is less was meant as seconds. */
const LEAST_MS = 100_000_000_000

/** By how much the clock of whoever has checked the login may be ahead, in milliseconds. */
const AHEAD_MS = 600_000

/**
 * What the application says of a request, checked: a mistake in it must not show somebody else's sessions.
 *
 * @throws LoginNeededError (`NOT_SIGNED_IN`), TypeError
 */
export function assertSignedIn(answer: unknown, now: number): SignedIn {
  if (answer === undefined || answer === null) throw new LoginNeededError('not_signed_in')
  const { accountId, sessionUid, authenticatedAt } = answer as Partial<SignedIn>
  if (typeof accountId !== 'string' || accountId === '') throw wrong('accountId', 'must be text')
  if (sessionUid !== undefined && (typeof sessionUid !== 'string' || sessionUid === ''))
    throw wrong('sessionUid', 'must be text, or be left out')
  if (typeof authenticatedAt !== 'number' || !(authenticatedAt >= LEAST_MS && authenticatedAt <= now + AHEAD_MS))
    throw wrong('authenticatedAt', 'must be milliseconds since 1970, and not be to come')
  return { accountId, authenticatedAt, ...(sessionUid !== undefined && { sessionUid }) }
}

/**
 * Ending and revoking need a login of a moment ago: whoever finds a browser open must not lock its owner out.
 *
 * @throws LoginNeededError (`LOGIN_NOT_RECENT`)
 */
export function assertRecent({ authenticatedAt }: SignedIn, now: number, recentLoginMs: number): void {
  if (now - authenticatedAt > recentLoginMs) throw new LoginNeededError('login_not_recent')
}

function wrong(field: string, problem: string): TypeError {
  return new TypeError(`authenticate() has answered with a wrong \`${field}\`: it ${problem}`)
}
