import type { LogoutToken } from './logout-token.ts'
import { LogoutTokenError } from './logout-token-error.ts'
import { atLeastZero, callable, knownOptions } from './option-error.ts'
import { BodyTooLarge, type LogoutRequestBody, logoutTokenOf } from './request-form.ts'
import {
  type LogoutTokenOptions,
  logoutTokenOptionNames,
  type VerifierRules,
  verifierRules,
} from './verifier-options.ts'
import { atReplayStore, inTime, judgeToken, reserveToken } from './verify-logout-token.ts'

/** What is to end at the RP: Back-Channel Logout 1.0 section 2.7. */
export interface LogoutNotice {
  readonly issuer: string
  /** The user. Without `sid`: all sessions of this user at the RP. */
  readonly sub?: string
  /** The session. */
  readonly sid?: string
  readonly token: LogoutToken
}

/** How one RP answers the logout requests of one OP. */
export interface LogoutRequestOptions extends LogoutTokenOptions {
  /**
   * Ends the sessions. Returns, or resolves, once they are gone, and also when there were none. Whatever it throws is
   * answered with 503, so that the OP tries again; it may therefore be called again for sessions that have ended.
   */
  onLogout: (notice: LogoutNotice) => unknown
  /** The `Retry-After` of a 503. Default 5; at least 30 where keys are missing, since they are fetched no sooner. */
  retryAfterSeconds?: number
}

export const logoutRequestOptionNames: readonly string[] = ['onLogout', 'retryAfterSeconds', ...logoutTokenOptionNames]

/** A logout request, whatever the framework. */
export interface LogoutRequest {
  readonly method: string
  /** The `Content-Type` header. */
  readonly contentType: string | null | undefined
  readonly body: LogoutRequestBody
}

/** The answer to send: 200, 400, 405, 413, 415 or 503, and never another status. */
export interface LogoutAnswer {
  readonly status: 200 | 400 | 405 | 413 | 415 | 503
  /** Names in lower case. `cache-control: no-store` is always there. */
  readonly headers: Readonly<Record<string, string>>
  /** Empty, or JSON with `error` and `error_description` (RFC 6749 section 5.2). */
  readonly body: string
  /** Why it is 400, 413 or 503, for the RP's log: a {@link LogoutTokenError} or what `onLogout` threw. Never sent. */
  readonly error?: Error
}

/**
 * The receiving end of Back-Channel Logout 1.0 sections 2.5 to 2.8, without a framework. The function that is returned
 * never rejects.
 *
 * It departs from section 2.8 in one place, on purpose. There 400 stands for "invalid" and for "the logout failed"
 * alike. Here 400 means that this token will never be taken, and 503 that the OP should send it again: keys or replay
 * store out of reach, `onLogout` failed, or all of it took longer than `timeoutMs`. With a `replayStore` a token is used up only after `onLogout` succeeded;
 * while it runs, the same token is answered with 503.
 *
 * @throws {ReceiverOptionError} `OPTION_INVALID`, when it is set up
 */
export function logoutRequestHandler(options: LogoutRequestOptions): (request: LogoutRequest) => Promise<LogoutAnswer> {
  knownOptions(options, logoutRequestOptionNames)
  const { onLogout, retryAfterSeconds, ...tokenOptions } = options
  const rules = verifierRules(tokenOptions)
  callable('onLogout', onLogout)
  const patience = Math.ceil(atLeastZero('retryAfterSeconds', retryAfterSeconds, 5))
  return async function handleLogoutRequest(request: LogoutRequest): Promise<LogoutAnswer> {
    if (request.method !== 'POST') {
      return answer(405, 'invalid_request', 'A logout request is a POST.', { headers: { allow: 'POST' } })
    }
    if (!isForm(request.contentType)) {
      return answer(415, 'invalid_request', 'A logout request has the content type application/x-www-form-urlencoded.')
    }
    try {
      await inTime(rules, async () => logOut(await logoutTokenOf(request.body), rules, onLogout))
    } catch (error) {
      return failure(error, patience)
    }
    return { status: 200, headers: { 'cache-control': 'no-store' }, body: '' }
  }
}

async function logOut(token: string, rules: VerifierRules, onLogout: LogoutRequestOptions['onLogout']): Promise<void> {
  const verified = await judgeToken(token, rules)
  const reservation = await reserveToken(verified, rules)
  const { issuer, sub, sid } = verified
  try {
    await onLogout({ issuer, ...(sub !== undefined && { sub }), ...(sid !== undefined && { sid }), token: verified })
    await atReplayStore(() => reservation.commit())
  } catch (error) {
    // What failed first is what the RP must hear of. A reservation that cannot be released lapses.
    await atReplayStore(() => reservation.release()).catch(() => {})
    throw error
  }
}

function isForm(contentType: string | null | undefined): boolean {
  return contentType?.split(';')[0]?.trim().toLowerCase() === 'application/x-www-form-urlencoded'
}

function failure(reason: unknown, patience: number): LogoutAnswer {
  const error = reason instanceof Error ? reason : new Error('onLogout failed', { cause: reason })
  if (error instanceof BodyTooLarge) {
    return answer(413, 'invalid_request', 'The request is larger than a logout request can be.', {
      headers: { connection: 'close' },
      error,
    })
  }
  if (error instanceof LogoutTokenError && !error.retryable) {
    return answer(400, 'invalid_request', `${error.code}: ${error.description}`, { error })
  }
  const code = error instanceof LogoutTokenError ? error.code : 'logout_failed'
  const description = error instanceof LogoutTokenError ? error.description : 'The logout failed here: try again later.'
  const seconds = code === 'key_unavailable' ? Math.max(patience, 30) : patience
  return answer(503, 'temporarily_unavailable', `${code}: ${description}`, {
    // Its body may be what did not come in time: nobody may wait for the rest of it.
    headers: { 'retry-after': `${seconds}`, ...(code === 'timed_out' && { connection: 'close' }) },
    error,
  })
}

function answer(
  status: LogoutAnswer['status'],
  code: string,
  description: string,
  extra: { headers?: Record<string, string>; error?: Error } = {},
): LogoutAnswer {
  return {
    status,
    headers: { 'cache-control': 'no-store', 'content-type': 'application/json', ...extra.headers },
    body: JSON.stringify({ error: code, error_description: description }),
    ...(extra.error !== undefined && { error: extra.error }),
  }
}
