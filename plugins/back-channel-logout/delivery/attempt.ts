import { type Clock, type EventStore, type KeyRing, SealBrokenError } from '../../../lib/index.ts'
import { GOES_BY_SUB, SKIP_SUPERSEDED, uriProblem } from '../clients/client-metadata.ts'
import { type StoredClient, storedClient } from '../clients/stored-client.ts'
import type { Answer } from '../network/answer.ts'
import type { Network } from '../network/network.ts'
import type { OidcClient, OidcProvider } from '../provider-internals.ts'
import { positionOfEnd } from '../recording/delivery-id.ts'
import type { Abandoned, Superseded } from '../recording/session-logout-events.ts'
import { answerInTime } from './answer-in-time.ts'
import { type Delivery, sealedFor } from './delivery.ts'
import { type DeliveryPolicy, policyFor } from './delivery-policy.ts'
import { makeLogoutToken } from './logout-token.ts'
import { hasNewerLogin, maySupersede } from './newer-login.ts'
import { deliveryOf } from './rounds.ts'

/** What an attempt works with. */
export interface AttemptParts {
  readonly provider: OidcProvider
  readonly store: EventStore
  readonly keys: KeyRing
  readonly network: Network
  readonly clock: Clock
  readonly policy: DeliveryPolicy
  readonly development: boolean
  /** Whether the operators allow this client to be inside their own network. */
  readonly isInside: (client: OidcClient) => boolean
  /** Whether anything may be sent now. */
  readonly isOn: () => boolean
  /** Clients to which operators have nothing sent for now. */
  readonly paused: () => ReadonlySet<string>
}

/** The limit of requests in flight to an origin. */
export interface OriginPlaces {
  /** False: none is free. */
  enter(origin: string): boolean
  leave(origin: string): void
}

/** Why nobody is there to be told, or nobody to tell of. */
export type Absence = Exclude<Abandoned['failure_reason'], 'budget_spent' | 'expired'>

/** Whom the RP was told about, in the provider's words. */
export interface Told {
  readonly client: OidcClient
  readonly accountId: string
  readonly sid: string
}

/** How an attempt went. */
export type Attempt =
  | {
      /** The RP was asked, or could not be. */
      readonly kind: 'tried'
      readonly answer: Answer
      readonly tookMs: number
      readonly origin?: string
      /** Absent: the RP was not asked. */
      readonly told?: Told
      /** This process does not know whom to ask. Another process of a rolling deployment may. */
      readonly absence?: Absence
    }
  /** There is nobody to be told any more. */
  | { readonly kind: 'noRecipient'; readonly absence: Absence }
  /** Nothing was owed: the client had no known URI at the login, and has none now. */
  | { readonly kind: 'notOwed' }
  /** The RP does not want to be told any more. */
  | { readonly kind: 'superseded'; readonly supersededBy: Superseded['superseded_by'] }
  /**
   * Nothing may be sent now: the gate was shut meanwhile, or the client paused, since making a token may take a while; or
   * as many requests as may be are in flight to the RP's origin. No attempt is spent.
   */
  | { readonly kind: 'notNow' }

/** How an attempt went that has ended the delivery without asking the RP. */
export type Unsent = Extract<Attempt, { kind: 'noRecipient' | 'superseded' }>

/** What the log says last of a client that is absent for good, and what to say while it does not. */
const ABSENCES: Readonly<
  Record<Exclude<Absence, 'account_forgotten'>, { readonly sure: StoredClient; readonly error: string }>
> = {
  client_deleted: { sure: 'destroyed', error: 'this process does not know the client' },
  no_uri: { sure: 'stored', error: 'the client has no backchannel_logout_uri in this process' },
}

/**
 * Sends one logout token: for the client as it is now, its URI too, since old domains must not receive subjects, and RPs
 * that moved must not miss logouts. Never throws. Everything happens within the time-out.
 *
 * @param id - of the work that the delivery is
 */
export async function attempt(
  parts: AttemptParts,
  { id, delivery }: { readonly id: string; readonly delivery: Delivery },
  origins: OriginPlaces,
  stopping: AbortSignal,
): Promise<Attempt> {
  const { provider, store, clock, policy, development } = parts
  const started = clock.monotonic()
  const over = new AbortController()
  const end = (): void => over.abort()
  const timer = clock.setTimeout(end, policyFor(policy, delivery.clientId).timeoutMs)
  if (stopping.aborted) end()
  stopping.addEventListener('abort', end, { once: true })
  const failed = (error: string, absence?: Absence): Attempt => ({
    kind: 'tried',
    answer: { kind: 'failed', error },
    tookMs: clock.monotonic() - started,
    ...(absence && { absence }),
  })
  const absent = async (why: keyof typeof ABSENCES): Promise<Attempt> => {
    // Once an attempt has failed the log says that it is pending, and has to say how it ended.
    if (delivery.onlyWithUri) return delivery.attempts > 0 ? { kind: 'noRecipient', absence: why } : { kind: 'notOwed' }
    const { sure, error } = ABSENCES[why]
    const last = await within(storedClient(store, delivery.clientId), over.signal)
    return last === sure ? { kind: 'noRecipient', absence: why } : failed(error, why)
  }
  const { sealedSubject } = delivery
  try {
    if (sealedSubject === undefined) return { kind: 'noRecipient', absence: 'account_forgotten' }
    const client = await within(provider.Client.find(delivery.clientId), over.signal)
    if (!client) return await absent('client_deleted')
    const uri = client.backchannelLogoutUri
    if (!uri) return await absent('no_uri')
    const problem = uriProblem(uri, development)
    if (problem !== undefined && delivery.onlyWithUri) return { kind: 'notOwed' }
    if (problem !== undefined) return failed(`the client's backchannel_logout_uri ${problem}`)
    const subject = openedSubject(parts, id, delivery, sealedSubject)
    const { sidOnly, tokenLifetimeSeconds: lifetimeSeconds } = policyFor(policy, delivery.clientId)
    const goesBySub = client[GOES_BY_SUB] === true && !sidOnly
    if (client[SKIP_SUPERSEDED] === true && maySupersede(delivery, goesBySub)) {
      const newer = { issuer: provider.issuer, clientId: client.clientId, accountId: subject, end: positionOfEnd(id) }
      if (await within(hasNewerLogin(store, newer), over.signal))
        return { kind: 'superseded', supersededBy: 'newer_login' }
    }
    const sid = delivery.includeSid ? delivery.sid : undefined
    const ended = { subject, sid, sidOnly, endedAt: delivery.endedAt, lifetimeSeconds }
    const token = await within(makeLogoutToken(provider, client, ended), over.signal)
    const { href, origin } = new URL(uri)
    if (!parts.isOn() || parts.paused().has(delivery.clientId) || !origins.enter(origin)) return { kind: 'notNow' }
    try {
      const options = { inside: parts.isInside(client), signal: over.signal }
      const post = (): Promise<Answer> => parts.network.post(href, { logout_token: token }, options)
      const answer = await answerInTime(post, over.signal, clock)
      const told = { client, accountId: subject, sid: delivery.sid }
      return { kind: 'tried', answer, tookMs: clock.monotonic() - started, origin, told }
    } finally {
      origins.leave(origin)
    }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return failed(over.signal.aborted ? 'no logout token in time' : `the logout token could not be made: ${why}`)
  } finally {
    timer.cancel()
    stopping.removeEventListener('abort', end)
  }
}

/**
 * Says nothing of what the row names: that may be long, and another one than was planned.
 *
 * @throws KeyUnknownError (`KEY_UNKNOWN`), and an error that says what to do where the row is not as it was planned
 */
function openedSubject({ keys }: AttemptParts, id: string, delivery: Delivery, sealed: string): string {
  try {
    return String(keys.open(sealed, sealedFor(deliveryOf(id), delivery)))
  } catch (cause) {
    if (!(cause instanceof SealBrokenError)) throw cause
    throw new Error(
      'the subject of this delivery does not open: its row of work was altered, or comes from another version. ' +
        'Once it is a dead letter, send it again: the row is made anew',
      { cause },
    )
  }
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
