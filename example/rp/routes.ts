import type { Context, Middleware } from 'koa'
import type { Logger } from 'pino'
import { show } from '../pages/layout.ts'
import type { LiveUpdates } from '../pages/live-updates.ts'
import type { Place, RpId } from '../settings.ts'
import type { OpenId } from './openid.ts'
import type { Outage } from './outage.ts'
import { rpPage } from './rp-page.ts'
import { endedNow, type RpSession } from './sessions.ts'

export interface RpParts {
  readonly rp: Place<RpId>
  readonly places: readonly Place[]
  readonly openId: OpenId
  readonly liveUpdates: LiveUpdates
  readonly outage: Outage
  readonly logger: Logger
}

/** What a browser can do at an RP. */
export function routes(parts: RpParts): Middleware {
  const handlers: Readonly<Record<string, (ctx: Context) => Promise<void> | void>> = {
    'GET /': (ctx) => firstPage(ctx, parts),
    'GET /live': (ctx) => parts.liveUpdates.open(ctx, sessionKey(ctx)),
    'GET /login': (ctx) => login(ctx, parts),
    'GET /callback': (ctx) => callback(ctx, parts),
    'POST /logout': (ctx) => logout(ctx, parts),
    'POST /outage': (ctx) => playDead(ctx, parts),
  }
  return async (ctx, next) => {
    const handle = handlers[`${ctx.method} ${ctx.path}`]
    if (handle === undefined) return next()
    await handle(ctx)
  }
}

function firstPage(ctx: Context, { rp, places, outage }: RpParts): void {
  const session = sessionOf(ctx)
  const other = places.find(({ id }) => id !== 'op' && id !== rp.id)
  show(ctx, {
    app: rp.id,
    places,
    title: session.login ? session.login.name : 'Not logged in',
    main: rpPage(rp, other, session, outage.down),
    ...(session.login && { updates: '/live' }), // its session can end any moment
  })
}

async function login(ctx: Context, { openId }: RpParts): Promise<void> {
  const { url, pending } = await openId.begin()
  sessionOf(ctx).pending = pending
  ctx.redirect(url.href)
}

async function callback(ctx: Context, { openId, logger }: RpParts): Promise<void> {
  const { pending } = sessionOf(ctx)
  delete sessionOf(ctx).pending // whatever comes of it, it is used up
  const login = await openId.finish(ctx, pending)
  // A new session id at each login: one that somebody planted in this browser before leads nowhere (session fixation).
  ctx.session = { login }
  await ctx.session.regenerate()
  logger.info({ sub: login.sub, sid: login.sid }, `${login.name} logged in`)
  ctx.redirect('/')
}

/** Ends the session here, whatever becomes of the rest; then the OP asks whether to log out everywhere. */
async function logout(ctx: Context, { openId, logger }: RpParts): Promise<void> {
  const { login } = sessionOf(ctx)
  if (login === undefined) return ctx.redirect('/')
  ctx.session = { ended: endedNow(login, 'user') }
  logger.info({ sub: login.sub, sid: login.sid }, `${login.name} logs out`)
  ctx.redirect((await openId.endSessionUrl(login.idToken)).href)
  ctx.status = 303
}

function playDead(ctx: Context, { outage, logger }: RpParts): void {
  outage.down = (ctx.request.body as { readonly down?: unknown } | undefined)?.down === 'yes'
  if (outage.down) logger.warn('plays dead: its back-channel endpoint does not answer')
  else logger.info('its back-channel endpoint is back')
  ctx.redirect('/')
  ctx.status = 303
}

function sessionOf(ctx: Context): RpSession {
  return ctx.session as RpSession
}

function sessionKey(ctx: Context): string {
  return String(ctx.session?.['externalKey'])
}
