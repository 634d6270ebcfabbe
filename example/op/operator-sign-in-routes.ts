import { bodyParser } from '@koa/bodyparser'
import type { Context, Middleware } from 'koa'
import { PageError } from '../pages/failures.ts'
import { show } from '../pages/layout.ts'
import type { Place } from '../settings.ts'
import type { OperatorSignIn } from './operator-sign-in.ts'
import { operatorSignInPage } from './operator-sign-in-page.ts'

/** Where the console is, and the way in to it and out. */
export const CONSOLE = '/operators'
export const SIGN_IN = '/operators/sign-in'
export const SIGN_OUT = '/operators/sign-out'

/** The way in and out of the operators' console: the application's own, which the console only asks who it is. */
export function operatorSignInRoutes(signIn: OperatorSignIn, origin: string, places: readonly Place[]): Middleware {
  const parseForm = bodyParser({ enableTypes: ['form'], formLimit: '4kb' })
  const askWho = (ctx: Context, refused: boolean): void =>
    show(ctx, { app: 'op', places, title: 'Sign in', main: operatorSignInPage(refused) }, refused ? 403 : 200)

  const handlers: Readonly<Record<string, (ctx: Context) => Promise<void> | void>> = {
    [`GET ${SIGN_IN}`]: (ctx) => askWho(ctx, false),
    [`POST ${SIGN_IN}`]: async (ctx) => {
      await parseForm(ctx, async () => {})
      if (!signIn.signIn(ctx, ctx.request.body as Readonly<Record<string, unknown>>)) return askWho(ctx, true)
      seeOther(ctx, CONSOLE)
    },
    [`POST ${SIGN_OUT}`]: (ctx) => {
      signIn.signOut(ctx)
      seeOther(ctx, SIGN_IN)
    },
  }

  return async (ctx, next) => {
    const handle = handlers[`${ctx.method} ${ctx.path}`]
    if (handle === undefined) return next()
    // A link from anywhere may lead here. What is posted comes from this page, or is not taken.
    if (ctx.method !== 'GET' && !isFromHere(ctx, origin))
      throw new PageError(403, `This form is taken from ${origin} only: open the page there.`)
    // Not `no-referrer`: browsers would then send `Origin: null` with the form.
    ctx.set({ 'Referrer-Policy': 'same-origin', 'Content-Security-Policy': FORM_POLICY })
    await handle(ctx)
  }
}

const FORM_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ')

/** Browsers say where a form comes from (`Sec-Fetch-Site`, `Origin`), and no page can make them say otherwise. */
function isFromHere(ctx: Context, origin: string): boolean {
  const [site, from] = [ctx.get('Sec-Fetch-Site'), ctx.get('Origin')]
  if (site !== '' && site !== 'same-origin') return false
  return from !== '' ? from === origin : site === 'same-origin'
}

function seeOther(ctx: Context, path: string): void {
  ctx.redirect(path)
  ctx.status = 303
}
