import { assertKnown, type Fields, requiredText } from '../../../lib/web/fields.ts'
import { type Ended, endOthers, endSession, revokeApp } from '../ends/ends.ts'
import type { OwnParts } from '../own/parts.ts'
import type { SignedIn } from '../who/signed-in.ts'

/** What an account may end, by its path: with a form on the page, with JSON below `/api`. */
export type Action = (own: OwnParts, who: SignedIn, fields: Fields) => Promise<Ended>

export const ACTIONS: ReadonlyMap<string, Action> = new Map<string, Action>([
  [
    '/sessions/end',
    async (own, who, fields) => {
      assertKnown(fields, ['id'])
      return endSession(own, who, requiredText(fields, 'id'))
    },
  ],
  [
    '/sessions/end-others',
    async (own, who, fields) => {
      assertKnown(fields, [])
      return endOthers(own, who)
    },
  ],
  [
    '/apps/revoke',
    async (own, who, fields) => {
      assertKnown(fields, ['clientId'])
      return revokeApp(own, who, requiredText(fields, 'clientId'))
    },
  ],
])
