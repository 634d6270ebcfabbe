import type { NewWork } from '../../../lib/index.ts'
import { fromBody } from './delivery.ts'
import { type DeliveryPolicy, policyFor } from './delivery-policy.ts'

/**
 * Deliveries with the time at which each is too old to be sent.
 *
 * @param now - by the work table's clock: the age counts from the planning, since the clock of whoever recorded the end
 *   may be wrong
 */
export function withDeadlines(owed: readonly NewWork[], policy: DeliveryPolicy, now: number): NewWork[] {
  return owed.map((work) => ({
    ...work,
    deadline: now + policyFor(policy, fromBody(work.body).clientId).maxAgeMs,
  }))
}
