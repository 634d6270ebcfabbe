import type { LogoutToken } from './logout-token.ts'
import { LogoutTokenError } from './logout-token-error.ts'
import { nonNegativeNumber, requireFunction, requireKnownOptions } from './option-error.ts'
import { BodyTooLarge, type LogoutRequestBody, logoutTokenOf } from './request-form.ts'
import {
  type LogoutTokenOptions,
  logoutTokenOptionNames,
  type VerifierRules,
  verifierRules,
} from './verifier-options.ts'
import { callReplayStore, reserveToken, validateToken, withinDeadline } from './verify-logout-token.ts'

/** Which sessions the RP has to end: Back-Channel Logout 1.0 section 2.7. */
export interface LogoutNotice {
  readonly issuer: string
  /** The user. Without `sid`: all sessions of this user at the RP. */
  readonly sub?: string
  /** The session. */
  readonly sid?: string
  readonly token: LogoutToken
}

/** The options of an RP's endpoint for the logout requests of one OP. */
export interface LogoutRequestOptions extends LogoutTokenOptions {
  /**
   * Ends the sessions. It returns, or resolves, when they have ended, and also when there were none. If it throws or
   * rejects, the response is 503, so that the OP tries again; it may therefore be called for sessions that have ended.
   */
  onLogout: (notice: LogoutNotice) => unknown
  /** The `Retry-After` of a 503. Default 5; at least 30 when keys are missing, since they are not fetched sooner. */
  retryAfterSeconds?: number
}

export const logoutRequestOptionNames: readonly string[] = ['onLogout', 'retryAfterSeconds', ...logoutTokenOptionNames]

/** A logout request, independent of the framework. */
export interface LogoutRequest {
  readonly method: string
  /** The `Content-Type` header. */
  readonly contentType: string | null | undefined
  readonly body: LogoutRequestBody
}

/** The response to send. Its status is 200, 400, 405, 413, 415 or 503, never another one. */
export interface LogoutResponse {
  readonly status: 200 | 400 | 405 | 413 | 415 | 503
  /** Names in lower case. `cache-control: no-store` is always there. */
  readonly headers: Readonly<Record<string, string>>
  /** Empty, or JSON with `error` and `error_description` (RFC 6749 section 5.2). */
  readonly body: string
  /** The error behind a 400, 413 or 503, for the RP's log: a {@link LogoutTokenError} or what `onLogout` threw. Not sent. */
  readonly error?: Error
}

/**
 * Handles logout requests (Back-Channel Logout 1.0 sections 2.5 to 2.8), independent of the framework. The returned
 * function never rejects.
 *
 * It deviates from section 2.8 in one point, on purpose. There 400 stands both for an invalid request and for a logout
 * that failed. Here 400 means that this token will never be accepted, and 503 that the OP should send the request again:
 * the keys or the replay store are unavailable, `onLogout` failed, or `timeoutMs` has passed. With a `replayStore` a token
 * counts as used only after `onLogout` has succeeded; while it runs, the same token is answered with 503.
 *
 * @throws {ReceiverOptionError} `OPTION_INVALID`, when it is created
 */
export function logoutRequestHandler(
  options: LogoutRequestOptions,
): (request: LogoutRequest) => Promise<LogoutResponse> {
  requireKnownOptions(options, logoutRequestOptionNames)
  const { onLogout, retryAfterSeconds, ...tokenOptions } = options
  const rules = verifierRules(tokenOptions)
  requireFunction('onLogout', onLogout)
  const retryAfter = Math.ceil(nonNegativeNumber('retryAfterSeconds', retryAfterSeconds, 5))
  return async function handleLogoutRequest(request: LogoutRequest): Promise<LogoutResponse> {
    if (request.method !== 'POST') {
      return jsonResponse(405, 'invalid_request', 'A logout request is a POST.', { headers: { allow: 'POST' } })
    }
    if (!isForm(request.contentType)) {
      return jsonResponse(
        415,
        'invalid_request',
        'A logout request has the content type application/x-www-form-urlencoded.',
      )
    }
    try {
      await withinDeadline(rules, async () => logOut(await logoutTokenOf(request.body), rules, onLogout))
    } catch (error) {
      return errorResponse(error, retryAfter)
    }
    return { status: 200, headers: { 'cache-control': 'no-store' }, body: '' }
  }
}

/** What `onLogout` threw. Even a LogoutTokenError of its own says nothing about the token of this request. */
class LogoutFailure extends Error {
  constructor(reason: unknown) {
    super('onLogout failed', { cause: reason })
  }
}

async function logOut(token: string, rules: VerifierRules, onLogout: LogoutRequestOptions['onLogout']): Promise<void> {
  const verified = await validateToken(token, rules)
  const reservation = await reserveToken(verified, rules)
  const { issuer, sub, sid } = verified
  try {
    const notice = { issuer, ...(sub !== undefined && { sub }), ...(sid !== undefined && { sid }), token: verified }
    try {
      await onLogout(notice)
    } catch (reason) {
      throw new LogoutFailure(reason)
    }
    await callReplayStore(() => reservation.commit())
  } catch (error) {
    // The first error is the one to report. A reservation that cannot be released expires.
    await callReplayStore(() => reservation.release()).catch(() => {})
    throw error
  }
}

function isForm(contentType: string | null | undefined): boolean {
  return contentType?.split(';')[0]?.trim().toLowerCase() === 'application/x-www-form-urlencoded'
}

function errorResponse(error: unknown, retryAfter: number): LogoutResponse {
  if (error instanceof BodyTooLarge) {
    return jsonResponse(413, 'invalid_request', 'The request is larger than a logout request can be.', {
      headers: { connection: 'close' },
      error,
    })
  }
  if (error instanceof LogoutTokenError && !error.retryable) {
    return jsonResponse(400, 'invalid_request', `${error.code}: ${error.description}`, { error })
  }
  if (error instanceof LogoutTokenError) {
    const headers = {
      'retry-after': `${error.code === 'key_unavailable' ? Math.max(retryAfter, 30) : retryAfter}`,
      // The request's body may not have arrived in time: the connection must not wait for the rest of it.
      ...(error.code === 'timed_out' && { connection: 'close' }),
    }
    return jsonResponse(503, 'temporarily_unavailable', `${error.code}: ${error.description}`, { headers, error })
  }
  const reason = error instanceof LogoutFailure ? error.cause : error
  return jsonResponse(503, 'temporarily_unavailable', 'logout_failed: The logout failed here: try again later.', {
    headers: { 'retry-after': `${retryAfter}` },
    error: reason instanceof Error ? reason : new Error('onLogout failed', { cause: reason }),
  })
}

function jsonResponse(
  status: LogoutResponse['status'],
  code: string,
  description: string,
  extra: { headers?: Record<string, string>; error?: Error } = {},
): LogoutResponse {
  return {
    status,
    headers: { 'cache-control': 'no-store', 'content-type': 'application/json', ...extra.headers },
    body: JSON.stringify({ error: code, error_description: description }),
    ...(extra.error !== undefined && { error: extra.error }),
  }
}
