import { type Fields, queryFields } from './fields.ts'
import { textOf } from './json-body.ts'
import { WebError } from './web-error.ts'

/**
 * The fields of a form in the body of a request. Pages of other origins can send one as well: ask `isSameOrigin` first.
 *
 * @throws WebError (`NOT_A_FORM`, `BODY_TOO_LARGE`)
 */
export async function formBody(request: Request): Promise<Fields> {
  const [type = ''] = (request.headers.get('Content-Type') ?? '').split(';')
  if (type.trim().toLowerCase() !== 'application/x-www-form-urlencoded')
    throw new WebError(415, 'NOT_A_FORM', 'send a form, with the content type application/x-www-form-urlencoded')
  return queryFields(new URLSearchParams(await textOf(request)))
}
