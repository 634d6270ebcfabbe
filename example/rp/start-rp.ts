import { bodyParser } from '@koa/bodyparser'
import Koa from 'koa'
import session from 'koa-session'
import {
  backChannelLogoutReceiver,
  MemoryReplayStore,
} from 'oidc-provider-eventstore/plugins/back-channel-logout-receiver'
import type { Logger } from 'pino'
import { assets } from '../pages/assets.ts'
import { failurePages } from '../pages/failures.ts'
import { LiveUpdates } from '../pages/live-updates.ts'
import { securityHeaders } from '../pages/security-headers.ts'
import type { Running } from '../running.ts'
import type { Place, RpId, Settings } from '../settings.ts'
import { serve } from '../web-server.ts'
import { OpenId } from './openid.ts'
import { Outage } from './outage.ts'
import { routes } from './routes.ts'
import { rpSecrets } from './secrets.ts'
import { Sessions } from './sessions.ts'

const RECEIVER = '/backchannel-logout'

/** Starts an RP: a web application that logs its users in at the OP, and out when the OP says so. */
export async function startRp(rp: Place<RpId>, settings: Settings, logger: Logger): Promise<Running> {
  const { op, rps, stateFolder, down } = settings
  const places = [op, ...rps]
  const issuer = `${op.origin}/oidc`
  const { clientSecret, cookieKeys } = await rpSecrets(stateFolder, rp.id)
  const liveUpdates = new LiveUpdates()
  const sessions = new Sessions((key) => liveUpdates.changed(key))
  const outage = new Outage(down.has(rp.id))

  const app = new Koa()
  app.keys = [...cookieKeys]
  app.use(securityHeaders([op.origin]))
  app.use(
    failurePages({ app: rp.id, places }, (err, { method, path }) => logger.error({ err, method, path }, 'failed')),
  )
  app.use(assets)
  app.use(outage.middleware(RECEIVER, () => logger.warn('plays dead: a logout token got no answer')))
  // Before sessions, body parsers and whatever checks for CSRF: the OP comes with a form, and without a cookie.
  app.use(
    backChannelLogoutReceiver({
      path: RECEIVER,
      issuer,
      audience: rp.id,
      jwks: new URL(`${issuer}/jwks`),
      replayStore: new MemoryReplayStore(),
      onLogout({ sub, sid }) {
        const count = sessions.end({ sub, sid })
        logger.info(
          { sub, sid, sessions: count },
          count > 0 ? 'logged out by the OP' : 'the OP ended a session that is gone here',
        )
      },
      onFailure: (err) => logger.warn({ err }, 'a logout token was refused'),
    }),
  )
  app.use(session({ key: `${rp.id}.session`, sameSite: 'lax', store: sessions.store }, app))
  app.use(bodyParser({ enableTypes: ['form'], formLimit: '8kb' }))
  app.use(routes({ rp, places, openId: new OpenId(issuer, rp, clientSecret), liveUpdates, outage, logger }))

  const server = await serve(app, rp)
  if (outage.down) logger.warn('plays dead: its back-channel endpoint does not answer')
  return {
    async stop() {
      liveUpdates.close() // or the server would wait for open pages
      await server.close()
    },
  }
}
