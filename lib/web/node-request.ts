import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequest } from '@remix-run/node-fetch-server'

/** What frameworks put on Node's request: the URL before a router has shortened it, and a body that was parsed. */
export interface FrameworkRequest extends IncomingMessage {
  readonly originalUrl?: string
  readonly body?: unknown
}

/**
 * The request as the Fetch standard has it, under the URL that the browser asked for.
 *
 * @param parsed the body, where something before has read and parsed it already
 * @throws TypeError where the request names no host, or none that could be one
 */
export function webRequest(incoming: FrameworkRequest, outgoing: ServerResponse, parsed: unknown): Request {
  const isRead = incoming.readableEnded || (parsed !== undefined && incoming.readableLength === 0 && incoming.complete)
  const request = createRequest(incoming, outgoing)
  const url = new URL(incoming.originalUrl ?? incoming.url ?? '/', new URL(request.url).origin)
  if (!isRead || request.body === null) return new Request(url, request)
  const { method, headers, signal } = request
  return new Request(url, { method, headers, signal, body: writtenBody(parsed) })
}

/** A body as it was before it was parsed, or as good as that. */
function writtenBody(parsed: unknown): string | Uint8Array<ArrayBuffer> | null {
  if (parsed === undefined || parsed === null) return null
  if (typeof parsed === 'string') return parsed
  if (parsed instanceof Uint8Array) return new Uint8Array(parsed)
  return JSON.stringify(parsed)
}
