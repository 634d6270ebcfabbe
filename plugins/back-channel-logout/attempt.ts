import type { Clock, KeyRing } from '../../lib/index.ts'
import { uriProblem } from './client-metadata.ts'
import type { Delivery } from './delivery.ts'
import type { Answer } from './judge.ts'
import { makeLogoutToken } from './logout-token.ts'
import type { Network } from './network.ts'
import type { OidcClient, OidcProvider } from './provider-internals.ts'
import { sessionLogoutStream } from './session-logout-events.ts'

/** What an attempt works with. */
export interface AttemptParts {
  readonly provider: OidcProvider
  readonly keys: KeyRing
  readonly network: Network
  readonly clock: Clock
  readonly timeoutMs: number
  readonly development: boolean
  /** Whether the operators allow this client to be inside their own network. */
  readonly isInside: (clientId: string) => boolean
}

/** How an attempt went. */
export type Attempt =
  /** The RP was asked, or could not be. */
  | { readonly kind: 'tried'; readonly answer: Answer; readonly tookMs: number; readonly origin?: string }
  /** There is nobody to be told any more. */
  | { readonly kind: 'nobody'; readonly why: 'client_deleted' | 'no_uri' }

/**
 * Sends one logout token: for the client as it is now, its URI too, since old domains must not receive subjects, and RPs
 * that moved must not miss logouts. Never throws. Everything happens within the time-out.
 */
export async function attempt(parts: AttemptParts, delivery: Delivery, stopping: AbortSignal): Promise<Attempt> {
  const { provider, clock, timeoutMs, development } = parts
  const started = clock.monotonic()
  const over = new AbortController()
  const end = (): void => over.abort()
  const timer = clock.setTimeout(end, timeoutMs)
  stopping.addEventListener('abort', end, { once: true })
  const failed = (error: string): Attempt => ({
    kind: 'tried',
    answer: { kind: 'failed', error },
    tookMs: clock.monotonic() - started,
  })
  try {
    const client = await within(provider.Client.find(delivery.clientId), over.signal)
    if (!client) return { kind: 'nobody', why: 'client_deleted' }
    const uri = client.backchannelLogoutUri
    if (!uri) return { kind: 'nobody', why: 'no_uri' }
    const problem = uriProblem(uri, development)
    if (problem !== undefined) return failed(`the client's backchannel_logout_uri ${problem}`)
    const token = await within(tokenFor(parts, client, delivery), over.signal)
    const inside = parts.isInside(delivery.clientId)
    const answer = await parts.network.post(uri, { logout_token: token }, { inside, signal: over.signal })
    return { kind: 'tried', answer, tookMs: clock.monotonic() - started, origin: new URL(uri).origin }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return failed(over.signal.aborted ? 'no logout token in time' : `the logout token could not be made: ${why}`)
  } finally {
    timer.cancel()
    stopping.removeEventListener('abort', end)
  }
}

function tokenFor({ provider, keys }: AttemptParts, client: OidcClient, delivery: Delivery): Promise<string> {
  const subject = String(keys.open(delivery.sealedSubject, sessionLogoutStream(delivery.sessionUid)))
  return makeLogoutToken(provider, client, subject, delivery.withSid ? delivery.sid : undefined)
}

/** The same promise, unless the signal aborts first. */
function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(new Error('aborted'))
    if (signal.aborted) return aborted()
    signal.addEventListener('abort', aborted, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
}
