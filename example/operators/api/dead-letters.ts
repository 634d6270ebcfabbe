import type { DeadLetterCriteria, ReplayTarget } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { Handler } from './api-request.ts'
import { assertKnown, type Fields, flag, invalid, requiredText, text, wholeNumber } from './fields.ts'
import { firstOf, limitIn } from './some-of.ts'

/** What RPs were not told, and nobody tries to tell them any more; the newest first. */
export const listDeadLetters: Handler = async ({ logout, fields }) => {
  assertKnown(fields, ['client', 'since', 'limit'])
  const letters = logout.deadLetters({ ...criteriaIn(fields), order: 'newest' })
  const { items, more } = await firstOf(letters, limitIn(fields))
  return { body: { deadLetters: items, more } }
}

/** Has them sent again: one, those of a client, all since a time. */
export const replay: Handler = async ({ logout, fields, actor }) => {
  assertKnown(fields, ['delivery', 'sessionUid', 'client', 'since', 'dryRun'])
  const dryRun = flag(fields, 'dryRun') ?? false
  return { body: await logout.replay(targetIn(fields), { actor, dryRun }) }
}

function targetIn(fields: Fields): ReplayTarget {
  const criteria = criteriaIn(fields)
  const isOne = fields['delivery'] !== undefined || fields['sessionUid'] !== undefined
  if (!isOne) return criteria
  if (Object.keys(criteria).length > 0) throw invalid('delivery', 'names one: leave "client" and "since" out')
  return { delivery: requiredText(fields, 'delivery'), sessionUid: requiredText(fields, 'sessionUid') }
}

function criteriaIn(fields: Fields): DeadLetterCriteria {
  const [client, since] = [text(fields, 'client'), wholeNumber(fields, 'since')]
  return { ...(client !== undefined && { client }), ...(since !== undefined && { since }) }
}
