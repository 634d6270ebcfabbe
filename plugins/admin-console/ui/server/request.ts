import { learnServerTime } from '../browser/clock.ts'
import { basePath } from '../routing/location.ts'
import { Failure, failureOf, isAborted } from './failure.ts'
import { isSignedOut } from './signed-out.ts'

/** How long an answer may take, in milliseconds. The server answers what takes longer with how far it is. */
const TIMEOUT_MS = 30_000

export interface RequestOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Sent as JSON. */
  readonly body?: object
  readonly signal?: AbortSignal
}

/** What a query holds; what is undefined or empty is left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>

/** Where a route of the API is. */
export function apiUrl(route: string, query: Query = {}): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') parameters.set(name, String(value))
  }
  const text = parameters.toString()
  return `${basePath}/api${route}${text === '' ? '' : `?${text}`}`
}

/**
 * Asks the server.
 *
 * @throws Failure, and what the signal aborts with
 */
export async function request<T>(url: string, { method = 'GET', body, signal }: RequestOptions = {}): Promise<T> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  let response: Response
  let answer: unknown
  try {
    response = await fetch(url, {
      method,
      headers: { Accept: 'application/json', ...(body && { 'Content-Type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      cache: 'no-store',
      redirect: 'error', // a redirect leads to a sign-in page, which is no answer
    })
    answer = await jsonOf(response)
  } catch (error) {
    if (signal?.aborted && isAborted(error)) throw error
    if (timeout.aborted) throw new Failure('offline', `the server did not answer within ${TIMEOUT_MS / 1_000} s`)
    throw new Failure('offline', 'the server cannot be reached')
  }
  learnServerTime(response.headers.get('Date'))
  isSignedOut.value = response.status === 401
  if (!response.ok) throw failureOf(response.status, answer)
  if (answer === undefined)
    throw new Failure('failed', 'the answer is not JSON: something else answers under this path')
  return answer as T
}

async function jsonOf(response: Response): Promise<unknown> {
  if (!/\bjson\b/.test(response.headers.get('Content-Type') ?? '')) return undefined
  const text = await response.text()
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
