import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequest } from '@remix-run/node-fetch-server'

/** What frameworks put on Node's request: the URL before a router has shortened it, and a body that was parsed. */
export interface FrameworkRequest extends IncomingMessage {
  readonly originalUrl?: string
  readonly body?: unknown
}

/** What a framework knows of a request. */
export interface Received {
  /** What was asked for: path and query, as the browser has sent them. */
  readonly target: string
  /** The body, where something before has read and parsed it already. */
  readonly parsed: unknown
}

/**
 * The request as the Fetch standard has it, under the URL that the browser asked for.
 *
 * @throws TypeError where the request names no host, or none that could be one
 */
export function webRequest(incoming: IncomingMessage, outgoing: ServerResponse, { target, parsed }: Received): Request {
  // In a URL these would end the host, or come before it.
  if (/[/?#@\\]/.test(incoming.headers.host ?? '')) throw new TypeError('the Host header is no host')
  const isRead = incoming.readableEnded || (parsed !== undefined && incoming.readableLength === 0 && incoming.complete)
  const request = createRequest(incoming, outgoing)
  // Not resolved against the origin: `//other.example.com/` would be another host.
  const url = new URL(`${new URL(request.url).origin}${target}`)
  if (!isRead || request.body === null) return new Request(url, request)
  const { method, headers, signal } = request
  return new Request(url, { method, headers, signal, body: writtenBody(parsed, headers.get('Content-Type') ?? '') })
}

/** A body as it was before it was parsed, or as good as that. */
function writtenBody(parsed: unknown, type: string): string | Uint8Array<ArrayBuffer> | null {
  if (parsed === undefined || parsed === null) return null
  if (typeof parsed === 'string') return parsed
  if (parsed instanceof Uint8Array) return new Uint8Array(parsed)
  return isForm(type) ? writtenForm(parsed) : JSON.stringify(parsed)
}

function isForm(type: string): boolean {
  return /^\s*application\/x-www-form-urlencoded\s*(;|$)/i.test(type)
}

/** Parsers make a list of a field that was sent several times. Other structures are none that a form of ours sends. */
function writtenForm(parsed: object): string {
  const fields = new URLSearchParams()
  for (const [name, value] of Object.entries(parsed)) {
    for (const one of Array.isArray(value) ? value : [value]) if (typeof one === 'string') fields.append(name, one)
  }
  return fields.toString()
}
