import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendResponse } from '@remix-run/node-fetch-server'
import { OptionInvalidError } from '../errors.ts'
import { type FrameworkRequest, webRequest } from './node-request.ts'
import { errorResponse, WebError } from './web-error.ts'

/** What a site is made of. */
export interface SiteParts<Context> {
  /** Where it is, as the browser sees it: `/admin`, or `/` for the whole server. */
  readonly basePath: string
  /**
   * Answers a request under the base path. Rejects with what nobody foresaw.
   *
   * @param path what follows the base path, and begins with a slash; empty: the base path itself was asked for
   */
  answer(request: Request, path: string, context: Context): Promise<Response>
}

/** What is used of a context of Koa. */
export interface KoaLike {
  readonly req: IncomingMessage
  readonly res: ServerResponse
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

  /** @throws OptionInvalidError */
  constructor({ basePath, answer }: SiteParts<Context>) {
    if (typeof basePath !== 'string' || !/^(\/[\w.~-]+)*\/?$/.test(basePath))
      throw new OptionInvalidError('basePath', 'must be a path that begins with a slash, for example /admin')
    this.basePath = basePath.replace(/\/$/, '')
    this.#answer = answer
  }

  /** For servers in the style of the Fetch standard (Hono, Bun, Deno). Undefined: it is not under the base path. */
  readonly fetch = async (request: Request, context: Context): Promise<Response | undefined> => {
    const path = this.#pathIn(new URL(request.url).pathname)
    if (path === undefined) return undefined
    const response = await this.#answer(request, path, context)
    return request.method === 'HEAD' ? new Response(null, response) : response
  }

  /** For Koa: `app.use(site.koa)`. The context is Koa's. */
  readonly koa = async (ctx: Context & KoaLike, next: () => Promise<unknown>): Promise<void> => {
    if (!this.#isMine(ctx.req)) {
      await next()
      return
    }
    const response = await this.#respond(ctx.req, ctx.res, ctx.request.body, ctx)
    ctx.respond = false
    await sendResponse(ctx.res, response)
  }

  /** For Express, connect, Nest's `app.use()` and Node's own server. The context is the request. */
  readonly node = (
    request: Context & FrameworkRequest,
    response: ServerResponse,
    next?: (error?: unknown) => void,
  ): void => {
    if (!this.#isMine(request)) {
      if (next) next()
      else void sendResponse(response, errorResponse(NOT_FOUND)).catch(() => response.destroy())
      return
    }
    this.#respond(request, response, request.body, request)
      .then((answer) => sendResponse(response, answer))
      .catch((error: unknown) => {
        if (next && !response.headersSent) next(error)
        else response.destroy()
      })
  }

  /** For Fastify: `site.fastify(app)`, before its routes. The context is Fastify's request. */
  readonly fastify = (app: FastifyLike<Context>): void => {
    app.addHook('onRequest', async (request, reply) => {
      if (!this.#isMine(request.raw)) return
      const response = await this.#respond(request.raw, reply.raw, undefined, request)
      reply.hijack()
      await sendResponse(reply.raw, response).catch(() => reply.raw.destroy())
    })
  }

  async #respond(
    incoming: FrameworkRequest,
    outgoing: ServerResponse,
    parsed: unknown,
    context: Context,
  ): Promise<Response> {
    let request: Request
    try {
      request = webRequest(incoming, outgoing, parsed)
    } catch {
      return errorResponse(new WebError(400, 'REQUEST_INVALID', 'the request names no host, or a method that is none'))
    }
    return (await this.fetch(request, context)) ?? errorResponse(NOT_FOUND)
  }

  #isMine({ originalUrl, url = '/' }: FrameworkRequest): boolean {
    const [path = ''] = (originalUrl ?? url).split('?', 1)
    return this.#pathIn(path) !== undefined
  }

  #pathIn(path: string): string | undefined {
    if (path === this.basePath) return ''
    return path.startsWith(`${this.basePath}/`) ? path.slice(this.basePath.length) : undefined
  }
}

const NOT_FOUND = new WebError(404, 'NOT_FOUND', 'there is no such thing')
