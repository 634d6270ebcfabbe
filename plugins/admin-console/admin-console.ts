import { randomBytes } from 'node:crypto'
import { componentLogger, consoleLogger, systemClock } from '../../lib/index.ts'
import { DATA_HEADERS, PAGE_HEADERS } from '../../lib/web/page-headers.ts'
import { Site } from '../../lib/web/site.ts'
import { errorResponse, WebError } from '../../lib/web/web-error.ts'
import { answerApi } from './api/answer.ts'
import { Exports } from './api/exports.ts'
import { countPending } from './api/known-clients.ts'
import { lookAtAll } from './api/overview.ts'
import type { RouteParts } from './api/route.ts'
import { SessionCount } from './api/session-count.ts'
import { Shared } from './api/shared.ts'
import { LiveFeed } from './live/live-feed.ts'
import { Operations } from './operations/operations.ts'
import { type AdminConsoleOptions, assertOptions, type Operator } from './options.ts'
import { Assets } from './page/assets.ts'
import { consoleDocument, notSignedInDocument } from './page/document.ts'

/** The console, mounted by `koa`, `node`, `fastify` or `fetch`. */
export class AdminConsole<Context> extends Site<Context> {
  readonly #close: () => void

  /** @param close - ends what runs beside the requests */
  constructor(parts: ConstructorParameters<typeof Site<Context>>[0], close: () => void) {
    super(parts)
    this.#close = close
  }

  /**
   * Ends the streams of open pages, and cancels what operators have started here; terminations go on in other processes. Call
   * it before the server stops, which waits for open streams. Idempotent.
   */
  close(): void {
    this.#close()
  }
}

const ASSETS = '/assets/'
const API = '/api'

/**
 * A console for operators: sessions, logouts, RPs, dead letters, features, the log; mounted into the server that the
 * application has. Who is an operator, and who may only look, the application says.
 *
 * @throws OptionInvalidError (`OPTION_INVALID`), also where the pages were not built
 */
export function adminConsole<Context>(options: AdminConsoleOptions<Context>): AdminConsole<Context> {
  assertOptions(options)
  const { op, logout, store, signInUrl, origin, basePath = '/admin' } = options
  const { clock = systemClock } = options
  const logger = componentLogger(options.logger ?? consoleLogger, 'console')
  const assets = new Assets(options.assets)
  const process = randomBytes(6).toString('base64url')
  const live = new LiveFeed({ store, clock, logger, process })
  const operations = new Operations({ clock, logger, onChange: (operation) => live.operation(operation) })
  const sessionCount = new SessionCount(logout, clock)
  const pendingByClient = new Shared(() => countPending(logout))
  const parts: RouteParts = {
    op,
    logout,
    store,
    clock,
    live,
    operations,
    process,
    exports: new Exports(clock, { logger }),
    sessionCount,
    overview: new Shared(() => lookAtAll({ logout, clock, sessionCount, pendingByClient })),
    pendingByClient,
    ...(options.signOutUrl !== undefined && { signOutUrl: options.signOutUrl }),
    ...(options.clients && { clients: options.clients }),
  }
  const unforeseen = (err: unknown, { method }: Request, path: string): void =>
    logger.error({ event: 'console_failed', err, method, path }, 'the console could not answer')

  const answerPage = async (request: Request, context: Context): Promise<Response> => {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return errorResponse(new WebError(405, 'METHOD_NOT_ALLOWED', 'this takes GET'), { ...DATA_HEADERS, Allow: 'GET' })
    if (await operatorOf(options, context)) return consoleDocument(site.basePath, assets)
    if (signInUrl === undefined) return notSignedInDocument()
    return new Response(null, { status: 302, headers: { ...PAGE_HEADERS, Location: signInUrl } })
  }

  const site = new AdminConsole<Context>(
    {
      basePath,
      unforeseen,
      async answer(request, path, context) {
        if (path.startsWith(ASSETS))
          return (
            assets.answer(path.slice(ASSETS.length)) ??
            errorResponse(new WebError(404, 'NOT_FOUND', 'no such file'), DATA_HEADERS)
          )
        if (path === API || path.startsWith(`${API}/`))
          return answerApi(request, path.slice(API.length), {
            ...parts,
            origin,
            authorize: () => operatorOf(options, context),
            unforeseen: (error) => unforeseen(error, request, path),
          })
        return answerPage(request, context)
      },
    },
    () => {
      live.close()
      operations.close()
    },
  )
  return site
}

/**
 * Who it is, as the application says.
 *
 * @throws AuthorizationUnfit where it says something else: nobody is let in by that
 */
async function operatorOf<Context>(
  { authorize }: Pick<AdminConsoleOptions<Context>, 'authorize'>,
  context: Context,
): Promise<Operator | undefined> {
  const operator: Partial<Operator> | undefined | null = await authorize(context)
  if (operator === undefined || operator === null) return undefined
  const { name, role } = operator
  if (typeof name !== 'string' || name.trim() === '' || name.length > 1_024 || !name.isWellFormed())
    throw new AuthorizationUnfit('name', 'must be text of at most 1,024 characters')
  if (role !== 'viewer' && role !== 'operator') throw new AuthorizationUnfit('role', 'must be viewer or operator')
  return { name, role }
}

/** What `authorize` returned is the application's mistake, and none of whoever asks: it is logged, and not told. */
class AuthorizationUnfit extends Error {
  constructor(member: string, expectation: string) {
    super(`authorize() must return { name, role }: its \`${member}\` ${expectation}`)
  }
}
