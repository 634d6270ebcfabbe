import type { Claim, NewCommit } from '../../../lib/index.ts'
import { deadLetterStreams } from '../recording/index-streams.ts'
import { roundOf, type SessionLogoutEvent, toEvent } from '../recording/session-logout-events.ts'
import type { Attempt, Unsent } from './attempt.ts'
import type { Delivery, Step } from './delivery.ts'
import { deliveryOf } from './rounds.ts'

/** The commit that records what a step came to. */
export function commitOfStep(
  id: string,
  step: Step,
  { tookMs, absence }: Extract<Attempt, { kind: 'tried' }>,
  issuer: string,
): NewCommit {
  const { sid, attempts, badRequests, early = 0 } = step.delivery
  const common = named(id, step.delivery)
  switch (step.kind) {
    case 'confirmed':
      return settling(id, step.delivery, issuer, {
        type: 'session_logout.back_channel.sent',
        ...common,
        oidc_session_id: sid,
        attempt: attempts,
        status: step.status,
        took_ms: Math.round(tookMs),
      })
    case 'rejected':
      return settling(id, step.delivery, issuer, {
        type: 'session_logout.back_channel.rejected',
        ...common,
        attempt: attempts,
        status: step.status,
        answer: step.answer,
      })
    case 'abandoned':
      return settling(id, step.delivery, issuer, {
        type: 'session_logout.back_channel.abandoned',
        ...common,
        attempts,
        failure_reason: absence ?? 'budget_spent',
        ...step.delivery.failure,
      })
    case 'again':
      return commit(step.delivery, issuer, {
        type: 'session_logout.back_channel.attempt_failed',
        ...common,
        attempt: attempts,
        ...step.delivery.failure,
        ...(badRequests > 0 && { bad_requests: badRequests }),
        ...(early > 0 && { early }),
        next_attempt_at: step.dueAt,
      })
  }
}

/** The commit that records that a delivery is too old to be sent. */
export function commitOfExpiry(id: string, delivery: Delivery, issuer: string): NewCommit {
  return settling(id, delivery, issuer, {
    type: 'session_logout.back_channel.abandoned',
    ...named(id, delivery),
    attempts: delivery.attempts,
    failure_reason: 'expired',
    ...delivery.failure,
  })
}

/** The commit that records that there is nobody to be told any more, or that the RP does not want to be. */
export function commitOfUnsent(id: string, delivery: Delivery, unsent: Unsent, issuer: string): NewCommit {
  const common = { ...named(id, delivery), attempts: delivery.attempts }
  return settling(
    id,
    delivery,
    issuer,
    unsent.kind === 'noRecipient'
      ? { type: 'session_logout.back_channel.abandoned', ...common, failure_reason: unsent.absence }
      : { type: 'session_logout.back_channel.superseded', ...common, superseded_by: unsent.supersededBy },
  )
}

function named(
  id: string,
  delivery: Delivery,
): { readonly delivery: string; readonly client_id: string; readonly round?: number } {
  const round = roundOf(delivery)
  return { delivery: deliveryOf(id), client_id: delivery.clientId, ...(round > 0 && { round }) }
}

/** A delivery is settled once in each round, whoever else believes to hold it. */
function settling(id: string, delivery: Delivery, issuer: string, event: SessionLogoutEvent): NewCommit {
  const claim: Claim = { kind: 'once', mark: `delivery:${id}#settled` }
  return { ...commit(delivery, issuer, event), claims: [claim] }
}

function commit({ sessionUid, clientId }: Delivery, issuer: string, event: SessionLogoutEvent): NewCommit {
  const also = isDeath(event) ? deadLetterStreams(issuer, clientId) : []
  return { events: [toEvent(sessionUid, event, also)], meta: { instance: issuer, actor: 'system' } }
}

function isDeath({ type }: SessionLogoutEvent): boolean {
  return type === 'session_logout.back_channel.rejected' || type === 'session_logout.back_channel.abandoned'
}
