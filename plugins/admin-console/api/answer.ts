import { queryFields } from '../../../lib/web/fields.ts'
import { jsonBody } from '../../../lib/web/json-body.ts'
import { DATA_HEADERS } from '../../../lib/web/page-headers.ts'
import { isSameOrigin } from '../../../lib/web/same-origin.ts'
import { asWebError, errorResponse, WebError } from '../../../lib/web/web-error.ts'
import type { Operator } from '../options.ts'
import type { Method, RouteParts } from './route.ts'
import { ROUTES } from './routes.ts'

/** What a request is answered with. */
export interface AnswerParts extends RouteParts {
  /** The origin under which browsers see the console. Undefined: the host that they ask. */
  readonly origin: string | undefined
  /** Who it is. */
  readonly authorize: () => Promise<Operator | undefined>
  /** Told of what nobody foresaw. */
  readonly unforeseen: (error: unknown) => void
}

/**
 * Answers a request to the API. No other site's page can act for the operator: nothing but GET is without effect, and
 * everything else must be JSON and of this origin. (`POST /explain` changes nothing either: it keeps what is asked out of
 * URLs.)
 */
export async function answerApi(request: Request, path: string, parts: AnswerParts): Promise<Response> {
  try {
    return await answer(request, path, parts)
  } catch (error) {
    const known = asWebError(error)
    if (!known) parts.unforeseen(error)
    const told = known ?? new WebError(500, 'FAILED', 'this did not work; the log says why')
    return errorResponse(told, { ...DATA_HEADERS, ...(told instanceof MethodNotAllowed && { Allow: told.allowed }) })
  }
}

async function answer(request: Request, path: string, parts: AnswerParts): Promise<Response> {
  const { origin, authorize, unforeseen: _, ...routeParts } = parts
  if (!isSameOrigin(request, origin))
    throw new WebError(403, 'CROSS_ORIGIN', 'only pages of the console may ask for this: open it in a tab of its own')
  const operator = await authorize()
  if (!operator) throw new WebError(401, 'NOT_SIGNED_IN', 'sign in as an operator')
  const methods = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined
  if (!methods) throw new WebError(404, 'NOT_FOUND', 'there is no such thing')
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const route = Object.hasOwn(methods, method) ? methods[method as Method] : undefined
  if (!route) throw new MethodNotAllowed(Object.keys(methods))
  if (route.role === 'operator' && operator.role !== 'operator')
    throw new WebError(403, 'ROLE_INSUFFICIENT', 'you may look, and change nothing: ask an operator')
  const fields = method === 'GET' ? queryFields(new URL(request.url).searchParams) : await jsonBody(request)
  const told = await route.handle({ ...routeParts, operator, fields, signal: request.signal })
  if (told instanceof Response) return told
  return Response.json(told.body, { status: told.status ?? 200, headers: DATA_HEADERS })
}

class MethodNotAllowed extends WebError {
  readonly allowed: string
  constructor(methods: readonly string[]) {
    super(405, 'METHOD_NOT_ALLOWED', `this takes ${methods.join(', ')}`)
    this.allowed = methods.join(', ')
  }
}
