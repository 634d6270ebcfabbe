import { assertKnown, queryFields } from '../../../lib/web/fields.ts'
import { jsonBody } from '../../../lib/web/json-body.ts'
import { DATA_HEADERS } from '../../../lib/web/page-headers.ts'
import { limitIn } from '../../../lib/web/some-of.ts'
import { asWebError, WebError } from '../../../lib/web/web-error.ts'
import { type EndReference, fromText, toText } from '../ends/end-reference.ts'
import { toldApps } from '../ends/told-apps.ts'
import { ownApps } from '../own/own-apps.ts'
import { ownSessions } from '../own/own-sessions.ts'
import type { OwnParts } from '../own/parts.ts'
import type { Wording } from '../page/wording.ts'
import { LoginNeededError, type SignedIn } from '../who/signed-in.ts'
import { ACTIONS } from './actions.ts'
import type { Gate } from './gate.ts'
import { assertMethod, MethodNotAllowedError } from './method.ts'

/** What both the API and the page answer with. */
export interface Answering<Context> {
  readonly own: OwnParts
  readonly gate: Gate<Context>
  readonly wording: Wording
}

/**
 * Answers a request of the API, with JSON.
 *
 * @param path - below `/api`
 */
export async function answerApi<Context>(
  answering: Answering<Context>,
  request: Request,
  path: string,
  context: Context,
): Promise<Response> {
  try {
    return Response.json(await answerOf(answering, request, path, context), { headers: DATA_HEADERS })
  } catch (error) {
    return failure(answering, error, context)
  }
}

async function answerOf<Context>(
  answering: Answering<Context>,
  request: Request,
  path: string,
  context: Context,
): Promise<unknown> {
  const { own, gate } = answering
  gate.assertOwnPage(request)
  const who = await gate.signedIn(context, own.host.clock)
  const action = ACTIONS.get(path)
  if (action) {
    assertMethod(request, 'POST')
    gate.assertRecent(who, own.host.clock)
    const { reference, isComplete } = await action(own, who, await jsonBody(request))
    return { isComplete, ...(await endedAnswer(answering, who, reference)) }
  }
  const fields = queryFields(new URL(request.url).searchParams)
  switch (path) {
    case '/sessions': {
      assertMethod(request, 'GET')
      assertKnown(fields, ['limit'])
      const { items, more } = await ownSessions(own, who, limitIn(fields))
      return { sessions: items, more, mayEnd: gate.isRecent(who, own.host.clock) }
    }
    case '/apps': {
      assertMethod(request, 'GET')
      assertKnown(fields, ['limit'])
      const { items, more } = await ownApps(own, who, limitIn(fields))
      return { apps: items, more, mayRevoke: gate.isRecent(who, own.host.clock) }
    }
    case '/ended': {
      assertMethod(request, 'GET')
      const text = new URL(request.url).searchParams.get('reference') ?? ''
      const reference = fromText(own.host, who.accountId, text)
      if (!reference) throw new WebError(404, 'REFERENCE_UNKNOWN', 'nothing was ended under this reference')
      return endedAnswer(answering, who, reference)
    }
    default:
      throw new WebError(404, 'NOT_FOUND', 'there is no such thing')
  }
}

async function endedAnswer<Context>(
  { own, wording }: Answering<Context>,
  { accountId }: SignedIn,
  reference: EndReference,
): Promise<object> {
  const told = await toldApps(own, reference)
  return { reference: toText(own.host, accountId, reference), ...told, lines: wording.told(told) }
}

async function failure<Context>({ gate }: Answering<Context>, error: unknown, context: Context): Promise<Response> {
  const known = asWebError(error)
  if (!known) throw error
  const { status, code } = known
  const message = messageFor(known)
  const login = known instanceof LoginNeededError ? await gate.loginUrl(context, known.reason) : undefined
  const headers = { ...DATA_HEADERS, ...(known instanceof MethodNotAllowedError && { Allow: known.allow }) }
  return Response.json({ error: { code, message, ...(login !== undefined && { login }) } }, { status, headers })
}

/** What the store says of its trouble names hosts and users of the database: it is for operators, and not for everybody. */
function messageFor(error: WebError): string {
  return UNAVAILABLE.has(error.code) ? 'this cannot be answered now: try again' : error.message
}

const UNAVAILABLE: ReadonlySet<string> = new Set(['STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN', 'TERMINATION_UNFINISHED'])
