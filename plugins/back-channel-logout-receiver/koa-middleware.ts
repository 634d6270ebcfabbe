import { type LogoutRequestOptions, logoutRequestHandler, logoutRequestOptionNames } from './logout-request.ts'
import { nonEmptyString, ReceiverOptionError, requireFunction, requireKnownOptions } from './option-error.ts'
import type { LogoutRequestBody } from './request-form.ts'

/** The members of a Koa 2 or 3 context that are used, so that the receiver depends neither on Koa nor on its types. */
export interface KoaLogoutContext {
  readonly method: string
  readonly path: string
  readonly req: AsyncIterable<Uint8Array | string> & { readonly readableDidRead?: boolean }
  readonly request: { readonly length: number | undefined; readonly body?: unknown }
  readonly app: { emit(event: string, ...args: unknown[]): boolean }
  status: number
  body: unknown
  get(field: string): string
  set(fields: Record<string, string>): void
}

export interface KoaReceiverOptions extends LogoutRequestOptions {
  /** The only path that is handled; other requests are passed to the next middleware. Default: every request is handled. */
  path?: string
  /**
   * Called with the error behind each 400, 413 and 503, for the log. Default: the error behind a 503 is emitted as Koa's
   * `error` event, which Koa prints; refused tokens are not reported.
   */
  onFailure?: (error: Error, ctx: KoaLogoutContext) => void
}

/** Generic, so that `app.use` keeps the type of the application's context. */
export type KoaReceiver = <Context extends KoaLogoutContext>(
  ctx: Context,
  next: () => Promise<unknown>,
) => Promise<void>

/**
 * Koa middleware for {@link logoutRequestHandler}. It works before or after a body parser, with `koa-mount` or with
 * `path`.
 *
 * @throws {ReceiverOptionError} `OPTION_INVALID`, when it is created
 */
export function backChannelLogoutReceiver(options: KoaReceiverOptions): KoaReceiver {
  requireKnownOptions(options, ['path', 'onFailure', ...logoutRequestOptionNames])
  const { path, onFailure, ...requestOptions } = options
  if (path !== undefined && !nonEmptyString('path', path).startsWith('/'))
    throw new ReceiverOptionError('path', 'must begin with /')
  if (onFailure !== undefined) requireFunction('onFailure', onFailure)
  const handleLogoutRequest = logoutRequestHandler(requestOptions)
  return async function receiveBackChannelLogout(ctx, next) {
    if (path !== undefined && ctx.path !== path) {
      await next()
      return
    }
    const response = await handleLogoutRequest({
      method: ctx.method,
      contentType: ctx.get('content-type'),
      body: bodyOf(ctx),
    })
    ctx.status = response.status
    ctx.set({ ...response.headers })
    ctx.body = response.body
    if (response.error === undefined) return
    if (onFailure !== undefined) onFailure(response.error, ctx)
    else if (response.status === 503) ctx.app.emit('error', response.error, ctx)
  }
}

/** The result of a body parser, or the unread request. A parser that ignored this content type sets an empty object. */
function bodyOf({ req, request }: KoaLogoutContext): LogoutRequestBody {
  const { body } = request
  const parsed = typeof body === 'string' || (typeof body === 'object' && body !== null && Object.keys(body).length > 0)
  if (parsed || req.readableDidRead === true) return body as LogoutRequestBody
  return req
}
