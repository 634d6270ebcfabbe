import type { Clock } from '../clock.ts'
import { inTime } from '../in-time.ts'
import type { Refusal } from './refusals.ts'
import type { RequestContext } from './request-context.ts'

export type Headers = RequestContext['response']['headers']

/** oidc-provider's configuration `renderError`: the error page that a deployment shows to people. */
export type ErrorPage = (ctx: RequestContext, out: ErrorOut, error: Error) => unknown

/** What an error page shows, as oidc-provider hands it over. */
export interface ErrorOut {
  readonly error: string
  readonly error_description?: string
}

/** As they are now: the cookies that a request sets are pushed into the list that was there. */
export function headersOf({ response }: RequestContext): Headers {
  return Object.fromEntries(
    Object.entries(response.headers).map(([field, value]) => [field, Array.isArray(value) ? [...value] : value]),
  )
}

/** Whether the application has sent the answer itself. A client that hung up has got none. */
export function answered(ctx: RequestContext): boolean {
  return ctx.headerSent || ctx.respond === false
}

/** What says who may read the answer is true of any answer. */
const KEPT = /^(access-control-|vary$|dpop-nonce$|oauth-client-attestation-challenge$)/

/** Takes back what the request wanted to answer; what outer middleware had set stays. */
export function reset(ctx: RequestContext, before: Headers): void {
  for (const field of Object.keys(ctx.response.headers)) {
    if (!(field in before) && !KEPT.test(field.toLowerCase())) ctx.remove(field)
  }
  for (const [field, value] of Object.entries(before)) {
    if (value !== undefined && !KEPT.test(field.toLowerCase()))
      ctx.set(field, Array.isArray(value) ? [...value] : String(value))
  }
}

export function restoreCookies(ctx: RequestContext, before: Headers): void {
  const cookies = before['set-cookie']
  if (cookies === undefined) ctx.remove('set-cookie')
  else ctx.set('set-cookie', Array.isArray(cookies) ? [...cookies] : String(cookies))
}

/** What error pages are made with. */
export interface PageParts {
  readonly clock: Clock
  /** The deployment's own error page. Absent: a plain one. */
  readonly errorPage: () => ErrorPage | undefined
}

/** How long a deployment's own page may take, in milliseconds: what it waits for may be what has failed. */
const MAX_PAGE_MS = 1_000

/** Answers with an error: clients get JSON, browsers a page, as the provider's own error handler does. */
export async function refuse(
  ctx: RequestContext,
  before: Headers,
  { status, error, description, headers = {} }: Refusal,
  { clock, errorPage }: PageParts,
): Promise<void> {
  reset(ctx, before)
  const out: ErrorOut = { error, ...(description !== undefined && { error_description: description }) }
  if (ctx.accepts?.('json', 'html') === 'html') {
    const problem = Object.assign(new Error(error), { ...out, status, statusCode: status, expose: true })
    const page = errorPage()
    if (!page || !(await succeeds(async () => page(ctx, out, problem), clock))) {
      reset(ctx, before)
      plainPage(ctx, out)
    }
  } else ctx.body = out
  ctx.status = status
  ctx.set('Cache-Control', 'no-store')
  for (const [field, value] of Object.entries(headers)) ctx.set(field, value)
}

/** Whether it ends well, and in time. */
async function succeeds(page: () => Promise<unknown>, clock: Clock): Promise<boolean> {
  try {
    return await inTime(page(), clock, MAX_PAGE_MS)
  } catch {
    return false
  }
}

/** Its two texts are this package's own and the field's error codes: nothing in it comes from a request. */
function plainPage(ctx: RequestContext, { error, error_description: description = error }: ErrorOut): void {
  ctx.set('Content-Type', 'text/html; charset=utf-8')
  ctx.body = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Please try again</title>
</head>
<body>
<main>
<h1>That did not work</h1>
<p>${description}.</p>
<p><small>${error}</small></p>
</main>
</body>
</html>
`
}

/** The browser repeats the request and meets the new state (RFC 9110 sections 15.4.4 and 15.4.8). */
export function repeat(ctx: RequestContext, before: Headers): void {
  reset(ctx, before)
  // Under a mount path the frameworks shorten the URL that Koa sees, and keep the whole one with Node's request.
  const url = ctx.req?.originalUrl ?? ctx.originalUrl
  ctx.redirect(url.replace(/^[/\\]+/, '/')) // never a scheme-relative URL
  ctx.status = ctx.method === 'POST' ? 307 : 303
  ctx.set('Cache-Control', 'no-store')
}
