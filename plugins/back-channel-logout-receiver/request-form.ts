import { LogoutTokenError } from './logout-token-error.ts'

/**
 * A request's body, in whatever state the framework has it: not read yet (a Node request, a web stream), read but not
 * parsed (text, bytes), parsed (an object of parameters), or nothing.
 */
export type LogoutRequestBody =
  | AsyncIterable<Uint8Array | string>
  | Uint8Array
  | string
  | Readonly<Record<string, unknown>>
  | null
  | undefined

/** The largest body that is looked at, in bytes. */
export const BODY_LIMIT_BYTES: number = 64 * 1024

/** So much more is read and thrown away, since a sender that is cut off while it writes does not see the answer. */
const DISCARD_LIMIT_BYTES = 1024 * 1024

/** The body is larger than {@link BODY_LIMIT_BYTES}: 413. */
export class BodyTooLarge extends Error {
  override readonly name: string = 'BodyTooLarge'

  constructor() {
    super(`the body of the logout request is larger than ${BODY_LIMIT_BYTES} bytes`)
  }
}

/**
 * The `logout_token` parameter: Back-Channel Logout 1.0 section 2.5. Other parameters are ignored, as it says.
 *
 * @throws {LogoutTokenError} `token_missing`, `token_malformed` (given more than once), `body_unreadable`
 * @throws {BodyTooLarge}
 */
export async function logoutTokenOf(body: LogoutRequestBody): Promise<string> {
  const given = await parameters(body)
  if (given.length > 1)
    throw new LogoutTokenError('token_malformed', { detail: 'logout_token is given more than once' })
  const [token] = given
  if (token === undefined || token === null) throw new LogoutTokenError('token_missing')
  if (typeof token !== 'string')
    throw new LogoutTokenError('token_malformed', { detail: `logout_token is a ${typeof token}` })
  if (Buffer.byteLength(token) > BODY_LIMIT_BYTES) throw new BodyTooLarge()
  return token
}

async function parameters(body: LogoutRequestBody): Promise<readonly unknown[]> {
  if (typeof body === 'string' || body instanceof Uint8Array) return parsed(bounded(Buffer.from(body)))
  if (typeof body !== 'object' || body === null) return []
  if (isIterable(body)) return parsed(await read(body))
  const value: unknown = Object.hasOwn(body, 'logout_token') ? body.logout_token : undefined
  return Array.isArray(value) ? value : [value]
}

function isIterable(body: object): body is AsyncIterable<Uint8Array | string> {
  return Symbol.asyncIterator in body
}

function parsed(body: Buffer): string[] {
  return new URLSearchParams(body.toString('utf8')).getAll('logout_token')
}

function bounded(body: Buffer): Buffer {
  if (body.byteLength > BODY_LIMIT_BYTES) throw new BodyTooLarge()
  return body
}

async function read(body: AsyncIterable<Uint8Array | string>): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    // Not `for await`: leaving it early would destroy a Node request, and with it the connection the answer needs.
    const iterator = body[Symbol.asyncIterator]()
    for (
      let step = await iterator.next();
      step.done !== true && bytes <= DISCARD_LIMIT_BYTES;
      step = await iterator.next()
    ) {
      const chunk = Buffer.from(step.value)
      bytes += chunk.byteLength
      if (bytes <= BODY_LIMIT_BYTES) chunks.push(chunk)
    }
  } catch (cause) {
    throw new LogoutTokenError('body_unreadable', { cause })
  }
  if (bytes > BODY_LIMIT_BYTES) throw new BodyTooLarge()
  return Buffer.concat(chunks)
}
