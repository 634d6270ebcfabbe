import type { Logger } from '../../../lib/index.ts'
import type { Unsent } from './attempt.ts'
import type { Delivery, Step } from './delivery.ts'
import { deliveryOf } from './rounds.ts'

/** The logger's line on what an attempt came to. */
export function tellOfStep(logger: Logger, id: string, next: Step, tookMs: number): void {
  const { clientId, sessionUid, attempts } = next.delivery
  const fields = {
    session: sessionUid,
    client_id: clientId,
    delivery: deliveryOf(id),
    attempt: attempts,
    took_ms: Math.round(tookMs),
  }
  if (next.kind === 'confirmed') logger.info({ ...fields, status: next.status }, `${clientId} confirmed the logout`)
  else if (next.kind === 'rejected') {
    logger.warn({ ...fields, status: next.status }, `${clientId} refuses to be told of a logout`)
  } else if (next.kind === 'again') {
    const again = { ...fields, why: failureOf(next), next_attempt_at: new Date(next.dueAt).toISOString() }
    logger.warn(again, `${clientId} was not told of a logout; it will be tried again`)
  } else {
    logger.error({ ...fields, why: failureOf(next) }, `${clientId} could not be told of a logout: a dead letter`)
  }
}

/** The logger's line on a delivery that nobody is there for any more, or whose RP does not want it any more. */
export function tellOfUnsent(
  logger: Logger,
  id: string,
  { clientId, sessionUid }: Delivery,
  { kind, why }: Unsent,
): void {
  const fields = { session: sessionUid, client_id: clientId, delivery: deliveryOf(id), why }
  if (kind === 'nobody') logger.warn(fields, `${clientId} cannot be told of a logout any more`)
  else logger.info(fields, `${clientId} is not told of a logout: the user has logged in there again`)
}

function failureOf({ error, status }: Extract<Step, { kind: 'again' | 'abandoned' }>): string {
  return error ?? `HTTP ${status ?? '?'}`
}
