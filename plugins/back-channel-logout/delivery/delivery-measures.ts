import type { Attributes, NewSpan, Span, Telemetry, Work } from '../../../lib/index.ts'
import type { Attempt } from './attempt.ts'
import type { Delivery, Step } from './delivery.ts'

/** So many clients are told apart in measurements, beside those of the configuration: anybody may register some. */
const CLIENTS = 500
const OTHER = '_OTHER'

/** Statuses that are told apart in measurements. An RP may answer any: others are told by their class. */
const STATUSES: ReadonlySet<number> = new Set([
  301, 302, 307, 308, 400, 401, 403, 404, 405, 408, 410, 413, 415, 429, 500, 501, 502, 503, 504,
])

/** How a delivery ended. */
export type Outcome = 'confirmed' | 'rejected' | 'abandoned' | 'expired' | 'superseded' | 'no_recipient'

/**
 * Measurements and spans of deliveries, by OpenTelemetry's conventions for messaging: a logout token is a message that is
 * sent to a client.
 */
export class DeliveryMeasures {
  readonly #telemetry: Telemetry
  readonly #issuer: string
  readonly #configured: ReadonlySet<string>
  readonly #clients = new Set<string>()

  /** @param configured - clients that are always told apart */
  constructor(telemetry: Telemetry, issuer: string, configured: readonly string[] = []) {
    this.#telemetry = telemetry
    this.#issuer = issuer
    this.#configured = new Set(configured)
  }

  /** The span of an attempt, with what follows from it; linked to the request or order that ended the session. */
  attempt<T>({ id }: Work, delivery: Delivery, work: (span: Span) => Promise<T>): Promise<T> {
    const { clientId, attempts, trace } = delivery
    const span: NewSpan = {
      name: 'send logout token',
      kind: 'client',
      isRoot: true,
      attributes: {
        ...this.#message,
        'messaging.destination.name': clientId,
        'messaging.message.id': id,
        'oidc_provider_eventstore.attempt': attempts + 1,
      },
      links: [trace],
    }
    return this.#telemetry.span(span, work)
  }

  /** An RP was asked, or could not be. */
  tried(
    span: Span,
    { clientId }: Delivery,
    { answer, tookMs, origin }: Extract<Attempt, { kind: 'tried' }>,
    next: Step,
  ): void {
    const status = answer.kind === 'answered' ? answer.status : undefined
    span.set({
      'oidc_provider_eventstore.outcome': next.kind === 'again' ? 'attempt_failed' : next.kind,
      ...(status !== undefined && { 'http.response.status_code': status }),
      ...(origin !== undefined && { 'server.address': new URL(origin).hostname }),
    })
    const failure = next.kind === 'confirmed' ? undefined : labelOf(status)
    if (failure !== undefined) span.fail(failure)
    const about: Attributes = {
      ...this.#message,
      'messaging.destination.name': this.#nameOf(clientId),
      ...(failure !== undefined && { 'error.type': failure }),
    }
    this.#telemetry.record('messaging.client.operation.duration', tookMs / 1_000, about)
    this.#telemetry.record('messaging.client.sent.messages', 1, about)
  }

  /** Nothing was sent: nothing is owed, or may be sent now, or another process goes on. */
  notSent(span: Span, outcome: 'not_owed' | 'not_now' | 'handed_over'): void {
    span.set({ 'oidc_provider_eventstore.outcome': outcome })
  }

  /** A delivery has ended. */
  ended({ clientId }: Delivery, outcome: Outcome, span?: Span): void {
    span?.set({ 'oidc_provider_eventstore.outcome': outcome })
    this.#telemetry.record('oidc_provider_eventstore.logout.deliveries', 1, {
      ...this.#about(clientId),
      'oidc_provider_eventstore.outcome': outcome,
    })
  }

  /** An RP has confirmed. `now` by the clock of the work table, milliseconds since 1970, as `endedAt` is by the log's. */
  confirmed(delivery: Delivery, now: number): void {
    this.ended(delivery, 'confirmed')
    const seconds = Math.max(0, now - delivery.endedAt) / 1_000
    this.#telemetry.record('oidc_provider_eventstore.logout.time_to_logout', seconds, this.#about(delivery.clientId))
  }

  get #message(): Attributes {
    return {
      'messaging.system': 'oidc_back_channel_logout',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'oidc_provider_eventstore.issuer': this.#issuer,
    }
  }

  #about(clientId: string): Attributes {
    return {
      'oidc_provider_eventstore.issuer': this.#issuer,
      'messaging.destination.name': this.#nameOf(clientId),
    }
  }

  #nameOf(clientId: string): string {
    if (this.#configured.has(clientId) || this.#clients.has(clientId)) return clientId
    if (this.#clients.size >= CLIENTS) return OTHER
    this.#clients.add(clientId)
    return clientId
  }
}

/** What `error.type` says of an attempt that was not confirmed: one of few. */
function labelOf(status: number | undefined): string {
  if (status === undefined) return 'no_answer'
  return STATUSES.has(status) ? String(status) : `${Math.floor(status / 100)}xx`
}
