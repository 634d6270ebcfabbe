import type { Handler } from './api-request.ts'
import { assertKnown } from './fields.ts'

/** What an operator's probe needs to know. */
export const showHealth: Handler = async ({ logout, fields }) => {
  assertKnown(fields, [])
  return { body: { health: await logout.health() } }
}
