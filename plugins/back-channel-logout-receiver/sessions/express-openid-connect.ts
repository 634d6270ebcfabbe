import { decodeJwt } from 'jose'
import type { LoggedOutSessions } from './logged-out-sessions.ts'
import { type IdTokenClaims, notedLogin, noteLogin } from './session-login.ts'

/** As much of the configuration of express-openid-connect as is used here. */
export interface ExpressOpenidConnectConfig {
  readonly session?: { readonly name?: string | undefined } | undefined
}

/** What `auth({ backchannelLogout })` of express-openid-connect takes. */
export interface ExpressOpenidConnectHooks {
  readonly onLogoutToken: (token: object) => Promise<void>
  readonly isLoggedOut: (req: object, config: ExpressOpenidConnectConfig) => Promise<boolean>
  readonly onLogin: (req: object, config: ExpressOpenidConnectConfig) => void
}

/** As much of a session of express-openid-connect as is used here. */
interface Session {
  readonly id_token: string
  /** Of the login; ID tokens that come with a refresh may lack it. */
  readonly sid?: string
}

/**
 * The three hooks of express-openid-connect, in place of its own. Those take a logout of one session for one of all
 * sessions of the user, and forget it when the user logs in again, anywhere; these end what the logout token names.
 */
export function expressOpenidConnect(sessions: LoggedOutSessions): ExpressOpenidConnectHooks {
  return {
    onLogoutToken: (token) => sessions.onLogoutToken(token),
    async isLoggedOut(req, config) {
      const session = sessionOf(req, config)
      if (notedLogin(session) !== undefined) return sessions.isLoggedOut(session)
      // A session from before these hooks were there: the ID token may be refreshed by now, but it is what there is.
      const standIn = {}
      noteLogin(standIn, claimsIn(session))
      return sessions.isLoggedOut(standIn)
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
  throw new TypeError('the request holds no session of express-openid-connect with an ID token')
}

/**
 * Not `req.oidc.idTokenClaims`: at a login over a session that is still held, those are of the former login. Whoever
 * put the ID token into the session has verified it.
 */
function claimsIn({ sid, id_token }: Session): IdTokenClaims {
  return { sid, ...decodeJwt<IdTokenClaims>(id_token) }
}
