import { type LogoutRequestOptions, logoutRequestHandler, logoutRequestOptionNames } from './logout-request.ts'
import { callable, knownOptions, nonEmptyString, ReceiverOptionError } from './option-error.ts'
import type { LogoutRequestBody } from './request-form.ts'

/** As much of a Koa 2 or 3 context as is used here, so that the receiver needs neither Koa nor its types. */
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
  /** Only this path is handled, everything else goes on to the next middleware. Default: whatever arrives here. */
  path?: string
  /**
   * Called with the reason of each 400, 413 and 503, for the log. Default: that of a 503 is emitted as Koa's `error`
   * event, which Koa prints; a refused token is not reported.
   */
  onFailure?: (error: Error, ctx: KoaLogoutContext) => void
}

/** Generic, so that `app.use` leaves the type of the application's own context as it was. */
export type KoaReceiver = <Context extends KoaLogoutContext>(
  ctx: Context,
  next: () => Promise<unknown>,
) => Promise<void>

/**
 * Koa middleware around {@link logoutRequestHandler}. Works before or after a body parser, below `koa-mount` or by
 * its `path`.
 *
 * @throws {ReceiverOptionError} `OPTION_INVALID`, when it is set up
 */
export function backChannelLogoutReceiver(options: KoaReceiverOptions): KoaReceiver {
  knownOptions(options, ['path', 'onFailure', ...logoutRequestOptionNames])
  const { path, onFailure, ...requestOptions } = options
  if (path !== undefined && !nonEmptyString('path', path).startsWith('/'))
    throw new ReceiverOptionError('path', 'must begin with /')
  if (onFailure !== undefined) callable('onFailure', onFailure)
  const handleLogoutRequest = logoutRequestHandler(requestOptions)
  return async function receiveBackChannelLogout(ctx, next) {
    if (path !== undefined && ctx.path !== path) {
      await next()
      return
    }
    const answer = await handleLogoutRequest({
      method: ctx.method,
      contentType: ctx.get('content-type'),
      body: bodyOf(ctx),
    })
    ctx.status = answer.status
    ctx.set({ ...answer.headers })
    ctx.body = answer.body
    if (answer.error === undefined) return
    if (onFailure !== undefined) onFailure(answer.error, ctx)
    else if (answer.status === 503) ctx.app.emit('error', answer.error, ctx)
  }
}

/** What a body parser left, or the request itself. A parser that skipped this content type leaves an empty object. */
function bodyOf({ req, request }: KoaLogoutContext): LogoutRequestBody {
  const { body } = request
  const parsed = typeof body === 'string' || (typeof body === 'object' && body !== null && Object.keys(body).length > 0)
  if (parsed || req.readableDidRead === true) return body as LogoutRequestBody
  return req
}
