import type { Fields } from './fields.ts'
import { WebError } from './web-error.ts'

/** What a request asks for is a few names and numbers, in bytes. */
const MAX_BYTES = 16_384

/**
 * The JSON object in the body of a request. Its type is asked for: what a form can send, or a page of another origin
 * without asking first, is none.
 *
 * @throws WebError (`NOT_JSON`, `BODY_TOO_LARGE`, `JSON_INVALID`)
 */
export async function jsonBody(request: Request): Promise<Fields> {
  const [type = ''] = (request.headers.get('Content-Type') ?? '').split(';')
  if (type.trim().toLowerCase() !== 'application/json')
    throw new WebError(415, 'NOT_JSON', 'send JSON, with the content type application/json')
  const text = await textOf(request)
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw new WebError(400, 'JSON_INVALID', 'the body is not JSON')
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new WebError(400, 'JSON_INVALID', 'the body must be a JSON object')
  return body as Fields
}

/** The text of a body of at most 16 KiB: the rest of a larger one is not read. */
export async function textOf(request: Request): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  if (request.body) {
    const reader = request.body.getReader()
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      length += next.value.length
      if (length > MAX_BYTES) {
        await reader.cancel()
        throw new WebError(413, 'BODY_TOO_LARGE', `the body has more than ${MAX_BYTES} bytes`)
      }
      chunks.push(next.value)
    }
  }
  return Buffer.concat(chunks).toString('utf8')
}
