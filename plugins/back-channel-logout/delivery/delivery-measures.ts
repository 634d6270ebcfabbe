import type { Attributes, NewSpan, Span, Telemetry, Work } from '../../../lib/index.ts'
import type { Attempt } from './attempt.ts'
import type { Delivery, Step } from './delivery.ts'

/** So many clients are told apart in measurements: anybody may register some. */
const CLIENTS = 1_000
const OTHER = '_OTHER'

/** How a delivery ended. */
export type Outcome = 'confirmed' | 'rejected' | 'abandoned' | 'expired' | 'superseded' | 'no_recipient'

/**
 * Measurements and spans of deliveries, by OpenTelemetry's conventions for messaging: a logout token is a message that is
 * sent to a client.
 */
export class DeliveryMeasures {
  readonly #telemetry: Telemetry
  readonly #clients = new Set<string>()

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry
  }

  /** The span of an attempt, with what follows from it; linked to the request or order that ended the session. */
  attempt<T>({ id }: Work, delivery: Delivery, work: (span: Span) => Promise<T>): Promise<T> {
    const { clientId, attempts, trace } = delivery
    const span: NewSpan = {
      name: 'send logout token',
      kind: 'client',
      attributes: {
        ...this.#about(clientId),
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
    const failure = next.kind === 'confirmed' ? undefined : (status?.toString() ?? 'no_answer')
    const result: Attributes = {
      ...(status !== undefined && { 'http.response.status_code': status }),
      ...(failure !== undefined && { 'error.type': failure }),
    }
    span.set({ ...result, ...(origin !== undefined && { 'server.address': new URL(origin).hostname }) })
    if (failure !== undefined) span.fail(failure)
    const about = { ...this.#about(clientId), ...result }
    this.#telemetry.record('messaging.client.operation.duration', tookMs / 1_000, about)
    this.#telemetry.record('messaging.client.sent.messages', 1, about)
  }

  /** A delivery has ended without a confirmation. */
  ended({ clientId }: Delivery, outcome: Outcome): void {
    this.#telemetry.record('oidc_provider_eventstore.logout.deliveries', 1, {
      'messaging.destination.name': this.#nameOf(clientId),
      'oidc_provider_eventstore.outcome': outcome,
    })
  }

  /** An RP has confirmed. `now` by the clock of the work table, milliseconds since 1970, as `endedAt` is by the log's. */
  confirmed(delivery: Delivery, now: number): void {
    this.ended(delivery, 'confirmed')
    this.#telemetry.record(
      'oidc_provider_eventstore.logout.time_to_logout',
      Math.max(0, now - delivery.endedAt) / 1_000,
      {
        'messaging.destination.name': this.#nameOf(delivery.clientId),
      },
    )
  }

  #about(clientId: string): Attributes {
    return {
      'messaging.system': 'oidc_back_channel_logout',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': this.#nameOf(clientId),
    }
  }

  #nameOf(clientId: string): string {
    if (this.#clients.has(clientId)) return clientId
    if (this.#clients.size >= CLIENTS) return OTHER
    this.#clients.add(clientId)
    return clientId
  }
}
