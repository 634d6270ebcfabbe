import { createServer } from 'node:http'
import express from 'express'
import openid, { type ConfigParams } from 'express-openid-connect'
import session from 'express-session'
import { listen } from '../support/op.ts'
import type { ForeignRp } from './foreign-rp.ts'

/** How it is to take logout tokens, given its store of sessions. */
export type TakesLogouts = (store: session.MemoryStore) => NonNullable<ConfigParams['backchannelLogout']>

type SessionStore = NonNullable<NonNullable<ConfigParams['session']>['store']>

const CLIENT_ID = 'express'

/** An Express application that leaves logins to express-openid-connect. */
export async function expressRp(takesLogouts: TakesLogouts): Promise<ForeignRp> {
  const server = createServer()
  const port = await listen(server, 0)
  const origin = `http://127.0.0.1:${port}`
  return {
    clientId: CLIENT_ID,
    port,
    metadata: {
      redirect_uris: [`${origin}/callback`],
      post_logout_redirect_uris: [`${origin}/`],
      token_endpoint_auth_method: 'client_secret_basic',
    },
    backChannelPath: '/backchannel-logout',
    page: `${origin}/mine`,
    logout: `${origin}/logout`,
    confirms: 204,
    login: () => `${origin}/login`,
    async start(issuerBaseURL, clientSecret) {
      const store = new session.MemoryStore()
      const app = express()
      app.use(
        openid.auth({
          issuerBaseURL,
          baseURL: origin,
          clientID: CLIENT_ID,
          clientSecret,
          secret: 'a secret of the tests, long enough for a key',
          authRequired: false,
          authorizationParams: { response_type: 'code', scope: 'openid' },
          idpLogout: true,
          routes: { postLogoutRedirect: `${origin}/` },
          // It takes the stores of express-session, but declares another content than they do.
          session: { store: store as unknown as SessionStore },
          backchannelLogout: takesLogouts(store),
        }),
      )
      app.get('/', (request, response) => void response.send(`You are ${request.oidc.user?.['sub'] ?? 'nobody'}`))
      app.get(
        '/mine',
        openid.requiresAuth(),
        (request, response) => void response.send(`You are ${request.oidc.user?.['sub']}`),
      )
      server.on('request', app)
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
