import type {
  DeadLetter,
  DeadLetterCriteria,
  PendingDelivery,
} from 'oidc-provider-eventstore/plugins/back-channel-logout'
import { type Fields, oneOf, text, wholeNumber } from '../../../lib/web/fields.ts'

/** Which dead letters: what the log finds, and what is looked for in what it finds. */
export interface DeadLetterFilter {
  readonly criteria: DeadLetterCriteria
  readonly state?: DeadLetter['state']
  readonly failureReason?: string
  readonly q?: string
}

/** The fields of a filter. */
export const FILTER_FIELDS: readonly string[] = ['client', 'since', 'state', 'failureReason', 'q']

/** @throws WebError (`FIELD_INVALID`) */
export function filterIn(fields: Fields): DeadLetterFilter {
  const [client, since] = [text(fields, 'client'), wholeNumber(fields, 'since')]
  const [failureReason, q] = [text(fields, 'failureReason'), text(fields, 'q')]
  const state = oneOf<DeadLetter['state']>(fields, 'state', ['rejected', 'abandoned'])
  return {
    criteria: { ...(client !== undefined && { client }), ...(since !== undefined && { since }) },
    ...(state !== undefined && { state }),
    ...(failureReason !== undefined && { failureReason }),
    ...(q !== undefined && { q }),
  }
}

export function matches(letter: DeadLetter, { state, failureReason, q }: Omit<DeadLetterFilter, 'criteria'>): boolean {
  return (
    (state === undefined || letter.state === state) &&
    (failureReason === undefined || letter.failureReason === failureReason) &&
    contains(letter, q)
  )
}

/** Whether a delivery has this text in anything that an operator reads of it. */
export function contains(
  { clientId, sessionUid, sid, error, answer }: DeadLetter | PendingDelivery,
  q: string | undefined,
): boolean {
  if (q === undefined) return true
  const wanted = q.toLowerCase()
  return [clientId, sessionUid, sid, error, answer].some((value) => value?.toLowerCase().includes(wanted) ?? false)
}
