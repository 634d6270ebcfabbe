import type { Logger } from '../../../lib/index.ts'
import type { Unsent } from './attempt.ts'
import type { Delivery, Step } from './delivery.ts'
import { deliveryOf } from './rounds.ts'

/** The logger's line on what an attempt came to. */
export function logOutcome(logger: Logger, id: string, next: Step, tookMs: number): void {
  const { clientId, sessionUid, attempts } = next.delivery
  const fields = {
    session: sessionUid,
    client_id: clientId,
    delivery: deliveryOf(id),
    attempt: attempts,
    took_ms: Math.round(tookMs),
  }
  if (next.kind === 'confirmed') {
    logger.info({ event: 'delivery_confirmed', ...fields, status: next.status }, `${clientId} confirmed the logout`)
  } else if (next.kind === 'rejected') {
    logger.warn(
      { event: 'delivery_rejected', ...fields, status: next.status },
      `${clientId} refuses to be told of a logout`,
    )
  } else if (next.kind === 'again') {
    const again = { failure_reason: failureOf(next), next_attempt_at: new Date(next.dueAt).toISOString() }
    logger.warn(
      { event: 'delivery_attempt_failed', ...fields, ...again },
      `${clientId} was not told of a logout; it will be tried again`,
    )
  } else {
    logger.error(
      { event: 'delivery_abandoned', ...fields, failure_reason: failureOf(next) },
      `${clientId} could not be told of a logout: a dead letter`,
    )
  }
}

/** The logger's line on a delivery that is too old to be sent. */
export function logExpiry(logger: Logger, id: string, { clientId, sessionUid, attempts, failure }: Delivery): void {
  const fields = { session: sessionUid, client_id: clientId, delivery: deliveryOf(id), attempts }
  logger.error(
    { event: 'delivery_expired', ...fields, ...(failure && { failure_reason: reasonOf(failure) }) },
    `${clientId} could not be told of a logout within the maximum age of a delivery: a dead letter`,
  )
}

/** The logger's line on a delivery that nobody is there for any more, or whose RP does not want it any more. */
export function logUnsent(logger: Logger, id: string, { clientId, sessionUid }: Delivery, unsent: Unsent): void {
  const fields = { session: sessionUid, client_id: clientId, delivery: deliveryOf(id) }
  if (unsent.kind === 'noRecipient') {
    logger.warn(
      { event: 'delivery_without_recipient', ...fields, failure_reason: unsent.absence },
      `${clientId} cannot be told of a logout any more`,
    )
  } else {
    logger.info(
      { event: 'delivery_superseded', ...fields, superseded_by: unsent.supersededBy },
      `${clientId} is not told of a logout: the user has logged in there again`,
    )
  }
}

function failureOf({ delivery: { failure } }: Extract<Step, { kind: 'again' | 'abandoned' }>): string {
  return reasonOf(failure)
}

function reasonOf(failure: NonNullable<Delivery['failure']>): string {
  return failure.error ?? `HTTP ${failure.status ?? '?'}`
}
