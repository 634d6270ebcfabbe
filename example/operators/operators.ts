import { bodyParser } from '@koa/bodyparser'
import type { Context, Middleware } from 'koa'
import { PageError } from '../pages/failures.ts'
import { show } from '../pages/layout.ts'
import type { Place } from '../settings.ts'
import { type OperatorsOptions, operatorsRoutes } from './api/operators-routes.ts'
import { isSameOrigin } from './api/same-origin.ts'
import { serveAsset } from './operators-assets.ts'
import { operatorsPage } from './operators-page.ts'
import type { SignIn } from './sign-in.ts'
import { signInPage } from './sign-in-page.ts'
import { setStrictHeaders } from './strict-headers.ts'

const PAGE = '/operators'
const SIGN_IN = '/operators/sign-in'
const SIGN_OUT = '/operators/sign-out'

const FRAME = { app: 'op', stylesheet: '/operators/assets/operators.css' } as const

/** The operators' page, the way in and out, and the routes behind it: everything under `/operators`. */
export function operators(
  options: Omit<OperatorsOptions, 'authorize' | 'prefix'> & {
    readonly signIn: SignIn
    readonly places: readonly Place[]
  },
): Middleware {
  const { signIn, places, origin } = options
  const parseForm = bodyParser({ enableTypes: ['form'], formLimit: '4kb' })
  const api = operatorsRoutes({ ...options, authorize: signIn.authorize })

  const handlers: Readonly<Record<string, (ctx: Context) => Promise<void> | void>> = {
    [`GET ${PAGE}`]: (ctx) => {
      const operator = signIn.authorize(ctx)
      if (operator === undefined) return ctx.redirect(SIGN_IN)
      const script = '/operators/assets/operators.js'
      show(ctx, { ...FRAME, places, title: 'Operators', main: operatorsPage(operator), script, wide: true })
    },
    [`GET ${SIGN_IN}`]: (ctx) => askWho(ctx, false),
    [`POST ${SIGN_IN}`]: async (ctx) => {
      await parseForm(ctx, async () => {})
      const { name, password } = ctx.request.body as Readonly<Record<string, unknown>>
      if (!signIn.signIn(ctx, name, password)) return askWho(ctx, true)
      seeOther(ctx, PAGE)
    },
    [`POST ${SIGN_OUT}`]: (ctx) => {
      signIn.signOut(ctx)
      seeOther(ctx, SIGN_IN)
    },
  }

  const askWho = (ctx: Context, refused: boolean): void =>
    show(ctx, { ...FRAME, places, title: 'Sign in', main: signInPage(refused) }, refused ? 403 : 200)

  return async (ctx, next) => {
    if (ctx.path !== PAGE && !ctx.path.startsWith(`${PAGE}/`)) return next()
    setStrictHeaders(ctx)
    if (serveAsset(ctx)) return
    const handle = handlers[`${ctx.method} ${ctx.path}`]
    if (handle === undefined) return api(ctx, next)
    // A link from anywhere may lead here. What is posted comes from this page, or is not taken.
    if (ctx.method !== 'GET' && !isSameOrigin(ctx, origin))
      throw new PageError(403, `This form is taken from ${origin} only: open the page there.`)
    await handle(ctx)
  }
}

function seeOther(ctx: Context, path: string): void {
  ctx.redirect(path)
  ctx.status = 303
}
