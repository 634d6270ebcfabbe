import { LogoutTokenError } from './logout-token-error.ts'

/**
 * A request's body, as the framework provides it: not read yet (a Node request, a web stream), read but not parsed (text,
 * bytes), parsed (an object of parameters), or nothing.
 */
export type LogoutRequestBody =
  | AsyncIterable<Uint8Array | string>
  | Uint8Array
  | string
  | Readonly<Record<string, unknown>>
  | null
  | undefined

/** The largest body that is accepted, in bytes. */
export const BODY_LIMIT_BYTES: number = 64 * 1024

/** A larger body is read up to here and discarded: a sender that is cut off while it writes does not see the response. */
const DISCARD_LIMIT_BYTES = 1024 * 1024

/** The body is larger than {@link BODY_LIMIT_BYTES}: 413. */
export class BodyTooLarge extends Error {
  override readonly name: string = 'BodyTooLarge'

  constructor() {
    super(`the body of the logout request is larger than ${BODY_LIMIT_BYTES} bytes`)
  }
}

/**
 * The `logout_token` parameter: Back-Channel Logout 1.0 section 2.5, which says to ignore other parameters.
 *
 * @throws {LogoutTokenError} `token_missing`, `token_malformed` (given more than once), `body_unreadable`
 * @throws {BodyTooLarge}
 */
export async function logoutTokenOf(body: LogoutRequestBody): Promise<string> {
  const tokens = await tokenParameters(body)
  if (tokens.length > 1)
    throw new LogoutTokenError('token_malformed', { detail: 'logout_token is given more than once' })
  const [token] = tokens
  if (token === undefined || token === null) throw new LogoutTokenError('token_missing')
  if (typeof token !== 'string')
    throw new LogoutTokenError('token_malformed', { detail: `logout_token is a ${typeof token}` })
  if (Buffer.byteLength(token) > BODY_LIMIT_BYTES) throw new BodyTooLarge()
  return token
}

async function tokenParameters(body: LogoutRequestBody): Promise<readonly unknown[]> {
  if (typeof body === 'string' || body instanceof Uint8Array) return parseForm(requireWithinLimit(Buffer.from(body)))
  if (typeof body !== 'object' || body === null) return []
  if (isIterable(body)) return parseForm(await readAll(body))
  const value: unknown = Object.hasOwn(body, 'logout_token') ? body.logout_token : undefined
  return Array.isArray(value) ? value : [value]
}

function isIterable(body: object): body is AsyncIterable<Uint8Array | string> {
  return Symbol.asyncIterator in body
}

function parseForm(body: Buffer): string[] {
  return new URLSearchParams(body.toString('utf8')).getAll('logout_token')
}

function requireWithinLimit(body: Buffer): Buffer {
  if (body.byteLength > BODY_LIMIT_BYTES) throw new BodyTooLarge()
  return body
}

async function readAll(body: AsyncIterable<Uint8Array | string>): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    // Not `for await`: leaving the loop early would destroy a Node request and its connection, which the response needs.
    const iterator = body[Symbol.asyncIterator]()
    while (bytes <= DISCARD_LIMIT_BYTES) {
      const { done, value } = await iterator.next()
      if (done === true) break
      const chunk = Buffer.from(value)
      bytes += chunk.byteLength
      if (bytes <= BODY_LIMIT_BYTES) chunks.push(chunk)
    }
  } catch (cause) {
    throw new LogoutTokenError('body_unreadable', { cause })
  }
  if (bytes > BODY_LIMIT_BYTES) throw new BodyTooLarge()
  return Buffer.concat(chunks)
}
