import type { Reason } from '../../plugins/back-channel-logout/index.ts'
import { switchAccount } from '../support/account-switch.ts'
import { OTHER, type Visitor } from './interop-scene.ts'

/** One way in which a session ends, or an RP's part of it. */
export interface WayToEnd {
  /** Completes the sentence "a session that ends …". */
  readonly how: string
  readonly reason: Reason
  /** Whether all of the session ends, or this RP's login alone. */
  readonly whole: boolean
  end(visitor: Visitor, clientId: string): Promise<unknown>
}

export const WAYS_TO_END: readonly WayToEnd[] = [
  {
    how: 'by a logout at another RP',
    reason: 'rp_initiated',
    whole: true,
    end: (visitor) => visitor.atOp.logout({ client_id: OTHER }),
  },
  {
    how: "by this RP's own logout",
    reason: 'rp_initiated',
    whole: true,
    end: (visitor) => visitor.logOutHere(),
  },
  {
    how: "for this RP alone, by its own logout and the user's choice",
    reason: 'rp_initiated',
    whole: false,
    end: (visitor) => visitor.logOutHere(false),
  },
  {
    how: "for this RP alone, at the OP's page",
    reason: 'rp_initiated',
    whole: false,
    end: async ({ atOp }, clientId) => atOp.confirm(await atOp.endSession({ client_id: clientId }), false),
  },
  {
    how: 'by the login of another account in the same browser',
    reason: 'account_switched',
    whole: true,
    end: ({ atOp }) => switchAccount(atOp.agent, atOp.authorizationUrl(OTHER, { prompt: 'login' }), 'bob'),
  },
  {
    how: 'by application code that destroys it',
    reason: 'session_destroyed',
    whole: true,
    end: async (visitor) => (await visitor.session()).destroy(),
  },
  {
    how: 'for this RP alone, by application code that removes its authorization',
    reason: 'authorization_removed',
    whole: false,
    async end(visitor, clientId) {
      const session = await visitor.session()
      delete session.authorizations[clientId]
      await session.save(3_600)
    },
  },
]
