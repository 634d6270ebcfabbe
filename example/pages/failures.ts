import type { Context, Middleware } from 'koa'
import { html } from './html.ts'
import { type Page, show } from './layout.ts'

/** An error that is the user's to read: its message is shown as it is. */
export class PageError extends Error {
  readonly status: number
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.status = status
  }
}

const HEADINGS: Readonly<Record<number, string>> = { 403: 'Refused', 404: 'Not found' }

/** Turns whatever is thrown, or found nowhere, into a page. What nobody foresaw goes to the log, not to the user. */
export function failurePages(
  frame: Pick<Page, 'app' | 'places'>,
  unforeseen: (error: unknown, ctx: Context) => void,
): Middleware {
  return async (ctx, next) => {
    let failure: PageError | undefined
    try {
      await next()
      if (ctx.status === 404 && ctx.body === undefined && ctx.respond !== false) {
        failure = new PageError(404, 'There is no such page.')
      }
    } catch (error) {
      if (!(error instanceof PageError)) unforeseen(error, ctx)
      failure = error instanceof PageError ? error : new PageError(500, 'Something failed here. The log says why.')
    }
    if (failure === undefined || ctx.headerSent) return
    const { status, message } = failure
    const main = html`<section class="card"><h1>${HEADINGS[status] ?? 'That did not work'}</h1><p>${message}</p>
<p><a class="button" href="/">To the first page</a></p></section>`
    show(ctx, { ...frame, title: 'Failed', main }, status)
  }
}
