import type { Context, Middleware } from 'koa'
import { ApiError, asApiError } from './api-error.ts'
import type { Asked, Handler } from './api-request.ts'
import { listDeadLetters, replay } from './dead-letters.ts'
import { listFeatures, resetFeature, setFeature } from './features.ts'
import { queryFields } from './fields.ts'
import { showHealth } from './health.ts'
import { jsonBody } from './json-body.ts'
import { listLogouts } from './logouts.ts'
import { isSameOrigin } from './same-origin.ts'
import { listSessions } from './sessions.ts'
import { listTerminations, terminate } from './terminations.ts'

/** What operators work with, and who they are. */
export interface OperatorsOptions extends Asked {
  /**
   * The application's own answer to who this is: the operator's name, which is recorded with everything that the operator
   * changes. Undefined: refused. Asked at each request.
   */
  readonly authorize: (ctx: Context) => string | undefined | Promise<string | undefined>
  /** The origin under which browsers see the operators' page; requests of pages of other origins are refused. */
  readonly origin: string
  /** Where the routes are. Default: `/operators/api`. */
  readonly prefix?: string
  /** Answers with a stream that says when something has changed (server-sent events), under `/changes`. */
  readonly follow: (ctx: Context) => void
  /** Told of what nobody foresaw; the operator is only told that it failed. */
  readonly unforeseen: (error: unknown, ctx: Context) => void
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

const ROUTES: Readonly<Record<string, Readonly<Partial<Record<Method, Handler>>>>> = {
  '/operator': { GET: async ({ actor }) => ({ body: { operator: actor } }) },
  '/sessions': { GET: listSessions },
  '/logouts': { GET: listLogouts },
  '/dead-letters': { GET: listDeadLetters },
  '/replays': { POST: replay },
  '/terminations': { GET: listTerminations, POST: terminate },
  '/health': { GET: showHealth },
  '/features': { GET: listFeatures, PUT: setFeature, DELETE: resetFeature },
}

const CHANGES = '/changes'

/**
 * What operators see and do, as JSON: sessions, logouts, dead letters, terminations, feature gates. Every answer that is
 * an error is `{ "error": { "code", "message" } }`. No other site's page can act for the operator: nothing but GET is
 * without effect, everything else must be JSON and of this origin.
 */
export function operatorsRoutes({ prefix = '/operators/api', ...options }: OperatorsOptions): Middleware {
  if (typeof options.authorize !== 'function')
    throw new TypeError('operatorsRoutes() needs `authorize`: without it everybody would be an operator')
  return async (ctx, next) => {
    if (ctx.path !== prefix && !ctx.path.startsWith(`${prefix}/`)) return next()
    ctx.set({
      'Cache-Control': 'no-store',
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
      'Cross-Origin-Resource-Policy': 'same-origin',
      'X-Content-Type-Options': 'nosniff',
    })
    try {
      await answer(ctx, ctx.path.slice(prefix.length), options)
    } catch (error) {
      const known = asApiError(error)
      if (!known) options.unforeseen(error, ctx)
      const { status, code, message } = known ?? new ApiError(500, 'FAILED', 'this did not work; the log says why')
      ctx.status = status
      ctx.body = { error: { code, message } }
    }
  }
}

async function answer(ctx: Context, path: string, options: Omit<OperatorsOptions, 'prefix'>): Promise<void> {
  const { authorize, origin, follow, ...asked } = options
  if (!isSameOrigin(ctx, origin))
    throw new ApiError(403, 'CROSS_ORIGIN', `only pages of ${origin} may ask for this; open the page there`)
  const actor = await authorize(ctx)
  if (typeof actor !== 'string' || actor === '') throw new ApiError(401, 'NOT_SIGNED_IN', 'sign in as an operator')
  const methods = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined
  if (path === CHANGES && ctx.method === 'GET') return follow(ctx)
  if (methods === undefined && path !== CHANGES) throw new ApiError(404, 'NOT_FOUND', 'there is no such thing')
  const handle = methods?.[ctx.method as Method]
  if (handle === undefined) {
    const allowed = Object.keys(methods ?? { GET: follow }).join(', ')
    ctx.set('Allow', allowed)
    throw new ApiError(405, 'METHOD_NOT_ALLOWED', `this takes ${allowed}`)
  }
  const fields = ctx.method === 'GET' ? queryFields(ctx.URL.searchParams) : await jsonBody(ctx)
  const { status = 200, body } = await handle({ ...asked, actor, fields })
  ctx.status = status
  ctx.body = body
}
