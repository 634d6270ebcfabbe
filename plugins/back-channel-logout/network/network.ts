import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { Agent, buildConnector } from 'undici'
import { isSpecialUse, literalAddress } from './address-guard.ts'
import type { Answer } from './answer.ts'
import { passOverInterim } from './pass-over-interim.ts'

/** Finds the addresses of a host: what `dns.lookup` does. Replaceable by tests. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>

/** Sends logout tokens. The one place of this project that makes requests. */
export interface Network {
  /**
   * Posts a form (Back-Channel Logout 1.0 section 2.5) and reads the answer. Never throws: whatever goes wrong is an
   * answer too.
   *
   * @param inside - whether the operators allow this client to be inside their own network
   */
  post(
    url: string,
    form: Readonly<Record<string, string>>,
    options: { readonly inside: boolean; readonly signal: AbortSignal },
  ): Promise<Answer>
  close(): Promise<void>
}

/** So much of an answer is read. */
const BODY_BYTES = 4_096

/** How to make a network. */
export interface NetworkOptions {
  /** How long connecting may take, in milliseconds; and the headers, and each part of the body. */
  readonly timeoutMs: number
  /** How long a connection that nobody uses is kept, in milliseconds, whatever the RP offers. Default: 4 s. */
  readonly idleMs?: number
  readonly resolve?: Resolve
  /** Which addresses are refused. Default: those of special use. Replaceable by tests. */
  readonly isRefused?: (address: string) => boolean
}

/**
 * The network, guarded: an address of special use is refused in three places, a literal host before connecting, every
 * result of a look-up, and the address that the socket is really connected to, before anything is written. A look-up
 * check alone would let literals through, which are never looked up.
 *
 * A connection that is kept for the next request is one that has passed; its other end cannot change. Clients that may be
 * inside have connections of their own, which no other client's request goes over.
 */
export function guardedNetwork({
  timeoutMs,
  idleMs = IDLE_MS,
  resolve = resolveBySystem,
  isRefused = isSpecialUse,
}: NetworkOptions): Network {
  const limits = {
    pipelining: 1,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    keepAliveTimeout: idleMs,
    keepAliveMaxTimeout: idleMs,
  }
  const guarded = new Agent({ ...limits, connect: guardedConnector(timeoutMs, resolve, isRefused) })
  const open = new Agent({ ...limits, connect: connectorWith(timeoutMs, resolve, () => false) })
  return {
    post: (url, form, { inside, signal }) => post(url, form, inside ? open : guarded, signal),
    async close() {
      await Promise.all([guarded.destroy(), open.destroy()])
    },
  }
}

const IDLE_MS = 4_000

/** Answers are short: they are not to be compressed. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'application/x-www-form-urlencoded',
  accept: 'application/json, */*;q=0.1',
  'accept-encoding': 'identity',
  'user-agent': 'oidc-provider-eventstore',
}

/** Content codings (RFC 9110 section 8.4.1) that make a body unreadable. What some servers call one is none: `utf-8`. */
const COMPRESSED = /\b(gzip|x-gzip|compress|x-compress|deflate|br|zstd)\b/i

async function post(
  url: string,
  form: Readonly<Record<string, string>>,
  dispatcher: Agent,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    const { origin, pathname, search } = new URL(url)
    const sent = new URLSearchParams(form).toString()
    const path = `${pathname}${search}`
    const response = await dispatcher.request({ origin, path, method: 'POST', headers: HEADERS, body: sent, signal })
    const { 'retry-after': retryAfters, 'content-encoding': encodings } = response.headers
    const start = await readStart(response.body, signal)
    // What nobody can read, nobody can look through for tokens.
    const encoding = [encodings].flat().join(', ')
    const body = COMPRESSED.test(encoding) ? `(compressed: ${encoding})`.slice(0, 100) : start
    const retryAfter = retryAfters === undefined ? undefined : [retryAfters].flat().join(', ')
    const isEmpty = response.statusCode === 204 || response.statusCode === 304
    return {
      kind: 'answered',
      status: response.statusCode,
      body: isEmpty ? '' : body,
      ...(retryAfter !== undefined && { retryAfter }),
    }
  } catch (error) {
    return { kind: 'failed', error: signal.aborted ? 'no answer in time' : reasonOf(error) }
  }
}

/** The start of a body; the rest is not waited for. A body that breaks off is as good as one that ends: the status counts. */
async function readStart(body: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const chunk of body) {
      chunks.push(chunk)
      bytes += chunk.byteLength
      if (bytes >= BODY_BYTES) break
    }
  } catch (error) {
    if (!signal.aborted && bytes === 0) return `(the answer's body could not be read: ${reasonOf(error)})`
  }
  return new TextDecoder().decode(Buffer.concat(chunks).subarray(0, BODY_BYTES))
}

/** Certificates are checked whatever `NODE_TLS_REJECT_UNAUTHORIZED` says: a token names a user. */
function connectorWith(
  timeout: number,
  resolve: Resolve,
  isRefused: (address: string) => boolean,
): buildConnector.connector {
  const connect = buildConnector({ timeout, lookup: lookupWith(resolve, isRefused), rejectUnauthorized: true })
  return (options, callback) =>
    connect(options, (error, socket) => {
      if (error || !socket) return callback(error ?? new Error('no socket'), null)
      passOverInterim(socket)
      callback(null, socket)
    })
}

function guardedConnector(
  timeout: number,
  resolve: Resolve,
  isRefused: (address: string) => boolean,
): buildConnector.connector {
  const connect = connectorWith(timeout, resolve, isRefused)
  return (options, callback) => {
    const literal = literalAddress(options.hostname)
    if (literal !== undefined && isRefused(literal)) {
      callback(new SpecialUseAddress(literal), null)
      return
    }
    connect(options, (error, socket) => {
      if (error || !socket) {
        callback(error ?? new Error('no socket'), null)
        return
      }
      const address = socket.remoteAddress ?? ''
      if (isRefused(address)) {
        socket.destroy()
        callback(new SpecialUseAddress(address), null)
        return
      }
      callback(null, socket)
    })
  }
}

/** A look-up for sockets whose results must all pass: one bad address among good ones is somebody's trick. */
function lookupWith(resolve: Resolve, isRefused: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const refused = addresses.find(({ address }) => isRefused(address))
        const [first] = addresses
        if (refused) callback(new SpecialUseAddress(refused.address), [])
        else if (!first) callback(new Error(`${hostname} has no address`), [])
        else if (options.all) callback(null, [...addresses])
        else callback(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    )
  }
}

const resolveBySystem: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)))
  })

class SpecialUseAddress extends Error {
  readonly code = 'SPECIAL_USE_ADDRESS'
  constructor(address: string) {
    super(
      `${address} is an address of special use: RPs inside your own network must be allowed by client id (allowInternal, or network.allow() at run time)`,
    )
  }
}

/** What went wrong, in a line: the innermost cause says it best. */
function reasonOf(error: unknown): string {
  let innermost = error
  while (innermost instanceof Error && innermost.cause instanceof Error) innermost = innermost.cause
  if (innermost instanceof AggregateError) innermost = innermost.errors[0] ?? innermost
  if (!(innermost instanceof Error)) return String(innermost)
  const code = 'code' in innermost && typeof innermost.code === 'string' ? innermost.code : ''
  const said = PLAIN[code] ?? innermost.message
  return `${code === '' ? '' : `${code}: `}${said}`.slice(0, 500)
}

/** What the usual failures mean, for people: some messages of sockets say little. */
const PLAIN: Readonly<Record<string, string>> = {
  UND_ERR_SOCKET: 'the RP closed the connection without an answer',
  ECONNRESET: 'the RP reset the connection without an answer',
}
