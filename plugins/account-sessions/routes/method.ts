import { WebError } from '../../../lib/web/web-error.ts'

/**
 * Whether a request may only look: GET and HEAD, as opposed to POST.
 *
 * @throws MethodNotAllowedError (`METHOD_NOT_ALLOWED`)
 */
export function assertMethod({ method }: Request, wanted: 'GET' | 'POST'): void {
  if (method === wanted || (wanted === 'GET' && method === 'HEAD')) return
  throw new MethodNotAllowedError(wanted)
}

/** An error whose answer says what may be asked. */
export class MethodNotAllowedError extends WebError {
  readonly allow: string
  constructor(wanted: 'GET' | 'POST') {
    super(405, 'METHOD_NOT_ALLOWED', `this is asked for with ${wanted}`)
    this.allow = wanted === 'GET' ? 'GET, HEAD' : wanted
  }
}
