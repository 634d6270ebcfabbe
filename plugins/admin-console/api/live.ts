import { assertKnown } from '../../../lib/web/fields.ts'
import type { Route } from './route.ts'

/** Server-sent events, while the page is open. */
export const followLive: Route = {
  role: 'viewer',
  handle({ live, operator, fields, signal }) {
    assertKnown(fields, [])
    return live.listen(operator.name, signal)
  },
}
