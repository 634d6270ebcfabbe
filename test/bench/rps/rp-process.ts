// The RPs of a benchmark, in a process of its own: one server on all addresses of this machine, whose paths are the ways
// to answer. It sends its port. `node rp-process.ts` counts requests: sent a number, it answers when so many more have arrived. `node rp-process.ts tell` sends whom each logout token is about, and when it arrived.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeJwt } from 'jose'

/** When the first and the last of so many requests arrived, in milliseconds since 1970. */
export interface Requests {
  readonly firstAt: number
  readonly lastAt: number
}

/** A logout token that arrived. */
export interface Arrival {
  /** The account that was logged in. */
  readonly sub: string
  /** The client that is told. */
  readonly aud: string
  /** When its request arrived, in milliseconds since 1970. */
  readonly at: number
}

const SLOW_MS = 300

const tells = process.argv[2] === 'tell'
let wanted = Number.POSITIVE_INFINITY
let count = 0
let firstAt = 0

const server = createServer((request, response) => {
  const at = performance.timeOrigin + performance.now()
  if (tells) void tell(request, at)
  else request.resume()
  request.on('end', () => answer(request.url, response))
  if (count === 0) firstAt = at
  count++
  if (count >= wanted) reached(at)
})
server.keepAliveTimeout = 60_000
server.listen(0, '0.0.0.0', () => process.send?.((server.address() as AddressInfo).port))

process.on('message', (requests: number) => {
  wanted = requests
  count = 0
})
process.on('disconnect', () => process.exit())

function reached(lastAt: number): void {
  const requests: Requests = { firstAt, lastAt }
  wanted = Number.POSITIVE_INFINITY
  process.send?.(requests)
}

function answer(path: string | undefined, response: ServerResponse): void {
  if (path === '/at-once') response.writeHead(200).end()
  if (path === '/slowly') setTimeout(() => response.writeHead(200).end(), SLOW_MS)
}

async function tell(request: IncomingMessage, at: number): Promise<void> {
  let body = ''
  for await (const chunk of request) body += chunk
  const { sub, aud } = decodeJwt(new URLSearchParams(body).get('logout_token') ?? '')
  const arrival: Arrival = { sub: String(sub), aud: String(aud), at }
  process.send?.(arrival)
}
