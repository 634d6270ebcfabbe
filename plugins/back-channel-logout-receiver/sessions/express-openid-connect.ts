import { decodeJwt } from 'jose'
import { requireSessions } from '../option-error.ts'
import type { LoggedOutSessions } from './logged-out-sessions.ts'
import { type IdTokenClaims, recordedLogin, recordLogin } from './session-login.ts'

/** The members of the configuration of express-openid-connect that are used. */
export interface ExpressOpenidConnectConfig {
  readonly session?: { readonly name?: string | undefined } | undefined
}

/** The type of `auth({ backchannelLogout })` of express-openid-connect. */
export interface ExpressOpenidConnectHooks {
  readonly onLogoutToken: (token: object) => Promise<void>
  readonly isLoggedOut: (req: object, config: ExpressOpenidConnectConfig) => Promise<boolean>
  readonly onLogin: (req: object, config: ExpressOpenidConnectConfig) => void
}

/** The members of a session of express-openid-connect that are used. */
interface Session {
  readonly id_token: string
  /** Set at the login; ID tokens from a refresh may lack it. */
  readonly sid?: string
}

/**
 * The three hooks of express-openid-connect. Its default hooks treat the logout of one session as one of all sessions of
 * the user, and delete it when the user logs in again anywhere. These hooks end the sessions that the logout token names.
 *
 * @throws {ReceiverOptionError} `OPTION_INVALID`
 */
export function expressOpenidConnect(sessions: LoggedOutSessions): ExpressOpenidConnectHooks {
  requireSessions(sessions, ['onLogin', 'onLogoutToken', 'isLoggedOut'])
  return {
    onLogoutToken: (token) => sessions.onLogoutToken(token),
    async isLoggedOut(req, config) {
      const session = sessionOf(req, config)
      if (recordedLogin(session) !== undefined) return sessions.isLoggedOut(session)
      // The session is older than these hooks. Its ID token may come from a refresh, but there is no other one.
      const substitute = {}
      recordLogin(substitute, claimsIn(session))
      return sessions.isLoggedOut(substitute)
    },
    onLogin(req, config) {
      const session = sessionOf(req, config)
      sessions.onLogin(session, claimsIn(session))
    },
  }
}

function sessionOf(req: object, config: ExpressOpenidConnectConfig): Session {
  const session: unknown = Reflect.get(req, config.session?.name ?? 'appSession')
  if (typeof session === 'object' && session !== null && 'id_token' in session) {
    if (typeof session.id_token === 'string') return session as Session
  }
  throw new TypeError('the request has no session of express-openid-connect with an ID token')
}

/**
 * Not `req.oidc.idTokenClaims`: at a login over an existing session, those are of the previous login. The ID token was
 * verified before it was stored in the session.
 */
function claimsIn({ sid, id_token }: Session): IdTokenClaims {
  return { sid, ...decodeJwt<IdTokenClaims>(id_token) }
}
