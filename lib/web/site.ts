import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendResponse } from '@remix-run/node-fetch-server'
import { OptionInvalidError } from '../errors.ts'
import { componentLogger, consoleLogger } from '../logger.ts'
import { type FrameworkRequest, type Received, webRequest } from './node-request.ts'
import { DATA_HEADERS } from './page-headers.ts'
import { errorResponse, WebError } from './web-error.ts'

/** What a site is made of. */
export interface SiteParts<Context> {
  /** Where it is, as the browser sees it: `/admin`, or `/` for the whole server. */
  readonly basePath: string
  /**
   * Answers a request under the base path. Rejects with what nobody foresaw: the browser is told that much and nothing of
   * it, and the framework is told nothing.
   *
   * @param path what follows the base path, and begins with a slash; empty: the base path itself was asked for
   */
  answer(request: Request, path: string, context: Context): Promise<Response>
  /** Told of what nobody foresaw. Default: it is printed to the console, as the event `site_failed`. */
  readonly unforeseen?: (error: unknown, request: Request, path: string) => void
}

/** What is used of a context of Koa. */
export interface KoaLike {
  readonly req: FrameworkRequest
  readonly res: ServerResponse
  /** The URL before `koa-mount` has shortened it. */
  readonly originalUrl?: string
  readonly request: { readonly body?: unknown }
  respond?: boolean
}

/** What is used of an instance of Fastify. */
export interface FastifyLike<Context> {
  addHook(
    name: 'onRequest',
    hook: (
      request: Context & { readonly raw: IncomingMessage },
      reply: { readonly raw: ServerResponse; hijack(): unknown },
    ) => Promise<unknown>,
  ): unknown
}

/**
 * Pages and an API that an application mounts into the server that it has. What is not under the base path is left to
 * the application. `Context` is the framework's own request: the application's hooks get it.
 */
export class Site<Context> {
  /** Without a slash at its end: `/admin`, or the empty text. */
  readonly basePath: string
  readonly #answer: SiteParts<Context>['answer']
  readonly #unforeseen: NonNullable<SiteParts<Context>['unforeseen']>

  /** @throws OptionInvalidError */
  constructor({ basePath, answer, unforeseen = printed }: SiteParts<Context>) {
    if (typeof basePath !== 'string' || !/^(\/(?!\.{1,2}(\/|$))[\w.~-]+)*\/?$/.test(basePath))
      throw new OptionInvalidError('basePath', 'must be a path that begins with a slash, for example /admin')
    this.basePath = basePath.replace(/\/$/, '')
    this.#answer = answer
    this.#unforeseen = unforeseen
  }

  /** For servers in the style of the Fetch standard (Hono, Bun, Deno). Undefined: it is not under the base path. */
  readonly fetch = async (request: Request, context: Context): Promise<Response | undefined> => {
    const path = this.#pathIn(new URL(request.url).pathname)
    if (path === undefined) return undefined
    const response = await this.#answered(request, path, context)
    if (request.method !== 'HEAD') return response
    await response.body?.cancel()
    return new Response(null, response)
  }

  /** For Koa: `app.use(site.koa)`, also in an app that is mounted into another one. The context is Koa's. */
  readonly koa = async (ctx: Context & KoaLike, next: () => Promise<unknown>): Promise<void> => {
    const target = targetOf(ctx.req, ctx.originalUrl)
    if (!this.#isMine(target)) {
      await next()
      return
    }
    const response = await this.#respond(ctx.req, ctx.res, { target, parsed: ctx.request.body }, ctx)
    ctx.respond = false
    await send(ctx.res, response)
  }

  /** For Express, connect, Nest's `app.use()` and Node's own server. The context is the request. */
  readonly node = (
    request: Context & FrameworkRequest,
    response: ServerResponse,
    next?: (error?: unknown) => void,
  ): void => {
    const target = targetOf(request)
    if (!this.#isMine(target)) {
      if (next) next()
      else void send(response, errorResponse(NOT_FOUND, DATA_HEADERS))
      return
    }
    this.#respond(request, response, { target, parsed: request.body }, request).then(
      (answer) => send(response, answer),
      (error: unknown) => (next ? next(error) : send(response, errorResponse(UNFORESEEN, DATA_HEADERS))),
    )
  }

  /** For Fastify: `site.fastify(app)`, before its routes. The context is Fastify's request. */
  readonly fastify = (app: FastifyLike<Context>): void => {
    app.addHook('onRequest', async (request, reply) => {
      const target = targetOf(request.raw)
      if (!this.#isMine(target)) return
      const response = await this.#respond(request.raw, reply.raw, { target, parsed: undefined }, request)
      reply.hijack()
      await send(reply.raw, response)
    })
  }

  async #answered(request: Request, path: string, context: Context): Promise<Response> {
    try {
      return await this.#answer(request, path, context)
    } catch (error) {
      this.#unforeseen(error, request, path)
      return errorResponse(UNFORESEEN, DATA_HEADERS)
    }
  }

  async #respond(
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    received: Received,
    context: Context,
  ): Promise<Response> {
    let request: Request
    try {
      request = webRequest(incoming, outgoing, received)
    } catch {
      return errorResponse(
        new WebError(400, 'REQUEST_INVALID', 'the request names no host, or a method that is none'),
        DATA_HEADERS,
      )
    }
    return (await this.fetch(request, context)) ?? errorResponse(NOT_FOUND, DATA_HEADERS)
  }

  #isMine(target: string): boolean {
    const [path = ''] = target.split('?', 1)
    return this.#pathIn(path) !== undefined
  }

  #pathIn(path: string): string | undefined {
    if (path === this.basePath) return ''
    return path.startsWith(`${this.basePath}/`) ? path.slice(this.basePath.length) : undefined
  }
}

const NOT_FOUND = new WebError(404, 'NOT_FOUND', 'there is no such thing')

const UNFORESEEN = new WebError(500, 'INTERNAL', 'the request failed in an unforeseen way')

function printed(err: unknown, { method }: Request, path: string): void {
  const logger = componentLogger(consoleLogger, 'site')
  logger.error({ event: 'site_failed', err, method, path }, 'a page could not be answered')
}

/** What the browser asked for. Express keeps it on Node's request, Koa on its context; the outermost of them is right. */
function targetOf({ originalUrl, url = '/' }: FrameworkRequest, ofContext?: string): string {
  return originalUrl ?? ofContext ?? url
}

/** Never rejects. A stream that fails on the way ends the connection: the client must not take a part for the whole. */
async function send(outgoing: ServerResponse, response: Response): Promise<void> {
  if (outgoing.destroyed) {
    await response.body?.cancel().catch(() => undefined) // the client is gone, and nobody else would end the stream
    return
  }
  await sendResponse(outgoing, response).catch(() => outgoing.destroy())
}
