import type { Context } from 'koa'
import { ApiError } from './api-error.ts'

/** What a request asks for is a few names and numbers, in bytes. */
const MOST_BYTES = 16_384

/**
 * The JSON object that a request holds. Its type is asked for: what a form can send, or a page of another origin without
 * asking first, is none.
 *
 * @throws ApiError (`NOT_JSON`, `BODY_TOO_LARGE`, `JSON_INVALID`)
 */
export async function jsonBody(ctx: Context): Promise<Readonly<Record<string, unknown>>> {
  if (ctx.request.type !== 'application/json')
    throw new ApiError(415, 'NOT_JSON', 'send JSON, with the content type application/json')
  const text = await textOf(ctx)
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch {
    throw new ApiError(400, 'JSON_INVALID', 'the body is not JSON')
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new ApiError(400, 'JSON_INVALID', 'the body must be a JSON object')
  return body as Readonly<Record<string, unknown>>
}

async function textOf(ctx: Context): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of ctx.req as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MOST_BYTES) {
      ctx.set('Connection', 'close') // nobody reads the rest
      throw new ApiError(413, 'BODY_TOO_LARGE', `the body has more than ${MOST_BYTES} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
