import type { LoggedOutSessions } from './logged-out-sessions.ts'
import { type IdTokenClaims, notedLogin, noteLogin } from './session-login.ts'

/** As much of the request that express-openid-connect hands to its hooks as is used here. */
export interface ExpressOpenidConnectRequest {
  readonly oidc: { readonly idTokenClaims?: object | null | undefined }
}

/** As much of its configuration. */
export interface ExpressOpenidConnectConfig {
  readonly session?: { readonly name?: string | undefined } | undefined
}

/** What `auth({ backchannelLogout })` of express-openid-connect takes. */
export interface ExpressOpenidConnectHooks {
  readonly onLogoutToken: (token: object) => Promise<void>
  readonly isLoggedOut: (req: ExpressOpenidConnectRequest, config: ExpressOpenidConnectConfig) => Promise<boolean>
  readonly onLogin: (req: ExpressOpenidConnectRequest, config: ExpressOpenidConnectConfig) => void
}

/**
 * The three hooks of express-openid-connect, in place of its own. Those forget a logout as soon as the same user logs
 * in again, anywhere, and with it end either all sessions of the user or none; these end what the logout token names.
 */
export function expressOpenidConnect(sessions: LoggedOutSessions): ExpressOpenidConnectHooks {
  return {
    onLogoutToken: (token) => sessions.onLogoutToken(token),
    async isLoggedOut(req, config) {
      const session = sessionOf(req, config)
      if (notedLogin(session) !== undefined) return sessions.isLoggedOut(session)
      // A session from before these hooks were there: the ID token may be refreshed by now, but it is what there is.
      const standIn = {}
      noteLogin(standIn, req.oidc.idTokenClaims as IdTokenClaims)
      return sessions.isLoggedOut(standIn)
    },
    onLogin(req, config) {
      const session = sessionOf(req, config)
      if (session === undefined) throw new TypeError('express-openid-connect has no session at this login')
      sessions.onLogin(session, req.oidc.idTokenClaims as IdTokenClaims)
    },
  }
}

function sessionOf(req: object, config: ExpressOpenidConnectConfig): object | undefined {
  const session: unknown = Reflect.get(req, config.session?.name ?? 'appSession')
  return typeof session === 'object' && session !== null ? session : undefined
}
