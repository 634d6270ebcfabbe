import { randomBytes } from 'node:crypto'
import { formBody } from '../../../lib/web/form-body.ts'
import { PAGE_HEADERS } from '../../../lib/web/page-headers.ts'
import { asWebError, WebError } from '../../../lib/web/web-error.ts'
import { fromText, toText } from '../ends/end-reference.ts'
import { toldApps } from '../ends/told-apps.ts'
import { ownApps } from '../own/own-apps.ts'
import { ownSessions } from '../own/own-sessions.ts'
import type { Html } from '../page/html.ts'
import { type Layout, type LayoutParts, plainLayout } from '../page/layout.ts'
import { type EndedView, type MessageView, messageView, pageView } from '../page/page-view.ts'
import { SCRIPT } from '../page/script.ts'
import { STYLESHEET } from '../page/stylesheet.ts'
import type { AccountSessionsTexts } from '../page/texts.ts'
import { LoginNeededError, type SignedIn } from '../who/signed-in.ts'
import { ACTIONS } from './actions.ts'
import type { Answering } from './api.ts'
import { assertMethod, MethodNotAllowedError } from './method.ts'

/** What the page is answered with. */
export interface PageParts<Context> extends Answering<Context> {
  readonly basePath: string
  readonly layout: Layout<Context> | undefined
}

/** So many sessions and apps are shown. */
const SHOWN = 50

/** Marks the page that whoever has ended the session of this very browser is sent to. */
const HERE = 'here'

const ASSETS: ReadonlyMap<string, { readonly type: string; readonly text: string }> = new Map([
  ['/style.css', { type: 'text/css; charset=utf-8', text: STYLESHEET }],
  ['/page.js', { type: 'text/javascript; charset=utf-8', text: SCRIPT }],
])

/** Answers a request of the page: with HTML, or with what the page is made of. */
export async function answerPage<Context>(
  parts: PageParts<Context>,
  request: Request,
  path: string,
  context: Context,
): Promise<Response> {
  const asset = ASSETS.get(path)
  try {
    if (asset) return assetOf(request, asset)
    const action = ACTIONS.get(path)
    if (action) return await acted(parts, request, path, context)
    if (path !== '/') throw new WebError(404, 'NOT_FOUND', 'there is no such thing')
    return await shown(parts, request, context)
  } catch (error) {
    return failure(parts, request, error, context)
  }
}

async function shown<Context>(parts: PageParts<Context>, request: Request, context: Context): Promise<Response> {
  const { own, gate, wording } = parts
  assertMethod(request, 'GET')
  const who = await gate.signedIn(context, own.host.clock)
  const isRecent = gate.isRecent(who, own.host.clock)
  const [sessions, apps, ended] = await Promise.all([
    ownSessions(own, who, SHOWN),
    ownApps(own, who, SHOWN),
    endedOf(parts, who, new URL(request.url).searchParams),
  ])
  const login = isRecent ? '' : await gate.loginUrl(context, 'login_not_recent')
  const main = pageView(sessions, apps, { basePath: parts.basePath, wording, isRecent, login, ended })
  return page(parts, main, wording.texts.title, context)
}

/** What the request before this one has ended. A reference that is none, or another account's, shows nothing. */
async function endedOf<Context>(
  { own, wording }: PageParts<Context>,
  { accountId }: SignedIn,
  query: URLSearchParams,
): Promise<EndedView | undefined> {
  const text = query.get('ended')
  const reference = text === null ? undefined : fromText(own.host, accountId, text)
  if (!reference || text === null) return undefined
  const told = await toldApps(own, reference)
  return { reference: text, lines: wording.told(told), settled: told.settled, goesOn: query.has('goes-on') }
}

/** Ends something, and sends the browser back to the page: to load it again ends nothing twice. */
async function acted<Context>(
  { own, gate, basePath }: PageParts<Context>,
  request: Request,
  path: string,
  context: Context,
): Promise<Response> {
  assertMethod(request, 'POST')
  gate.assertOwnPage(request)
  const who = await gate.signedIn(context, own.host.clock)
  gate.assertRecent(who, own.host.clock)
  const action = ACTIONS.get(path)
  if (!action) throw new WebError(404, 'NOT_FOUND', 'there is no such thing')
  const { reference, isComplete, isHere } = await action(own, who, await formBody(request))
  const text = toText(own.host, who.accountId, reference)
  const marks = `${isComplete ? '' : '&goes-on'}${isHere ? `&${HERE}=1` : ''}`
  const Location = `${basePath}/?ended=${encodeURIComponent(text)}${marks}`
  return new Response(null, { status: 303, headers: { ...PAGE_HEADERS, Location } })
}

async function failure<Context>(
  parts: PageParts<Context>,
  request: Request,
  error: unknown,
  context: Context,
): Promise<Response> {
  const known = asWebError(error)
  if (!known) throw error
  if (known instanceof LoginNeededError) return loginNeeded(parts, request, known, context)
  const { texts } = parts.wording
  const link = { href: `${parts.basePath}/`, text: texts.back }
  const view = { isError: true, heading: texts.errorHeading, message: messageOf(known, texts), link }
  const answer = await messagePage(parts, view, context, known.status)
  if (known instanceof MethodNotAllowedError) answer.headers.set('Allow', known.allow)
  return answer
}

async function loginNeeded<Context>(
  parts: PageParts<Context>,
  request: Request,
  { reason, status }: LoginNeededError,
  context: Context,
): Promise<Response> {
  const { gate, wording } = parts
  const { texts } = wording
  const href = await gate.loginUrl(context, reason)
  const isNobody = reason === 'not_signed_in'
  const link = { href, text: isNobody ? texts.logIn : texts.logInAgain }
  // A form is not sent elsewhere: the policy of the page forbids it, and nothing of it would be left there.
  if (!isNobody || request.method === 'POST') {
    const message = isNobody ? texts.notSignedIn : texts.loginNotRecent
    return messagePage(parts, { isError: true, heading: texts.errorHeading, message, link }, context, status)
  }
  // Whoever has ended this very session is told so, before a login is asked for.
  if (new URL(request.url).searchParams.has(HERE)) {
    const view = { isError: false, heading: texts.endedHeading, message: texts.signedOutHere, link }
    return messagePage(parts, view, context, 200)
  }
  return new Response(null, { status: 303, headers: { ...PAGE_HEADERS, Location: href } })
}

function messagePage<Context>(
  parts: PageParts<Context>,
  view: MessageView,
  context: Context,
  status: number,
): Promise<Response> {
  return page(parts, messageView(view, parts.wording.language), view.heading, context, status)
}

function messageOf({ status, code }: WebError, texts: AccountSessionsTexts): string {
  switch (code) {
    case 'SESSION_UNKNOWN':
      return texts.sessionUnknown
    case 'APP_UNKNOWN':
      return texts.appUnknown
    case 'CROSS_ORIGIN':
      return texts.otherOrigin
    default:
      return status >= 500 ? texts.unavailable : texts.requestInvalid
  }
}

async function page<Context>(
  { layout, wording: { language }, basePath }: PageParts<Context>,
  main: Html,
  title: string,
  context: Context,
  status = 200,
): Promise<Response> {
  const nonce = randomBytes(16).toString('base64')
  const around: Omit<LayoutParts<Context>, 'main'> = {
    title,
    language,
    nonce,
    stylesheet: `${basePath}/style.css`,
    script: `${basePath}/page.js`,
    context,
  }
  const document = layout ? await layout({ ...around, main: main.toString() }) : plainLayout(around, main)
  const headers = { ...PAGE_HEADERS, ...policyWith(nonce), 'Content-Type': 'text/html; charset=utf-8' }
  return new Response(document, { status, headers })
}

/** The policy of all pages, that lets a layout have styles and scripts of its own, and fonts of its own origin. */
function policyWith(nonce: string): Readonly<Record<string, string>> {
  const name = 'Content-Security-Policy'
  const policy = String(PAGE_HEADERS[name]).replace(/(?:script|style)-src 'self'/g, `$& 'nonce-${nonce}'`)
  return { [name]: `${policy}; font-src 'self'` }
}

function assetOf(request: Request, { type, text }: { readonly type: string; readonly text: string }): Response {
  assertMethod(request, 'GET')
  const { 'Content-Security-Policy': _, ...headers } = PAGE_HEADERS
  return new Response(text, { headers: { ...headers, 'Cache-Control': 'public, max-age=300', 'Content-Type': type } })
}
