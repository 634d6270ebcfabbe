import type { Handler } from './api-request.ts'
import { assertKnown, requiredText } from './fields.ts'
import { firstOf, limitIn } from './some-of.ts'

/** The live sessions of an account, and the RPs that have a login of each. */
export const listSessions: Handler = async ({ logout, fields }) => {
  assertKnown(fields, ['account', 'limit'])
  const account = requiredText(fields, 'account')
  const { items, more } = await firstOf(logout.sessions({ account }), limitIn(fields))
  return { body: { sessions: items, more } }
}
