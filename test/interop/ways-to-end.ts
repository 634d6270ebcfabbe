import type { Reason } from '../../plugins/back-channel-logout/index.ts'
import { switchAccount } from '../support/account-switch.ts'
import { type InteropScene, OTHER, type Visitor } from './interop-scene.ts'

/** One way in which a session ends, or an RP's part of it. */
export interface WayToEnd {
  /** Completes the sentence "a session that ends …". */
  readonly how: string
  readonly reason: Reason
  /** Whether all of the session ends, or this RP's login alone. */
  readonly scope: 'session' | 'logins'
  /** Whose sessions end with it. Default: this one alone. */
  readonly reach?: 'session' | 'account' | 'everybody'
  end(visitor: Visitor, scene: InteropScene): Promise<unknown>
}

const OPERATOR = { actor: 'operator' }

const ACCOUNT_REASONS = ['account_disabled', 'account_deleted', 'password_changed', 'signed_out_everywhere'] as const

export const WAYS_TO_END: readonly WayToEnd[] = [
  {
    how: 'by a logout at another RP',
    reason: 'rp_initiated',
    scope: 'session',
    end: (visitor) => visitor.atOp.logout({ client_id: OTHER }),
  },
  {
    how: "by this RP's own logout",
    reason: 'rp_initiated',
    scope: 'session',
    end: (visitor) => visitor.logOutHere(),
  },
  {
    how: "for this RP alone, by its own logout and the user's choice",
    reason: 'rp_initiated',
    scope: 'logins',
    end: (visitor) => visitor.logOutHere(false),
  },
  {
    how: "for this RP alone, at the OP's page",
    reason: 'rp_initiated',
    scope: 'logins',
    end: async ({ atOp }, { rp }) => atOp.confirm(await atOp.endSession({ client_id: rp.clientId }), false),
  },
  {
    how: 'by the login of another account in the same browser',
    reason: 'account_switched',
    scope: 'session',
    end: ({ atOp }) => switchAccount(atOp.agent, atOp.authorizationUrl(OTHER, { prompt: 'login' }), 'bob'),
  },
  {
    how: 'by application code that destroys it',
    reason: 'session_destroyed',
    scope: 'session',
    end: async (visitor) => (await visitor.session()).destroy(),
  },
  {
    how: 'for this RP alone, by application code that removes its authorization',
    reason: 'authorization_removed',
    scope: 'logins',
    async end(visitor, { rp }) {
      const session = await visitor.session()
      delete session.authorizations[rp.clientId]
      await session.save(3_600)
    },
  },
  {
    how: 'by its expiry',
    reason: 'session_expired',
    scope: 'session',
    end: async (visitor) => (await visitor.session()).save(1),
  },
  {
    how: 'by an ID token of it, from another browser',
    reason: 'single_session',
    scope: 'session',
    end: async (visitor, scene) => scene.visitor().atOp.endSessionOf(await visitor.idToken()),
  },
  {
    how: 'by an operator',
    reason: 'admin',
    scope: 'session',
    end: async (visitor, { logout }) => logout.terminateSession((await visitor.session()).uid, OPERATOR),
  },
  {
    how: 'with all of its account, by an operator',
    reason: 'admin',
    scope: 'session',
    reach: 'account',
    end: ({ login }, { logout }) => logout.terminateAccount(login, OPERATOR),
  },
  ...ACCOUNT_REASONS.map((reason) => ({
    how: `with all of its account, which says ${reason}`,
    reason,
    scope: 'session' as const,
    reach: 'account' as const,
    end: ({ login }: Visitor, { logout }: InteropScene) => logout.terminateAccount(login, { ...OPERATOR, reason }),
  })),
  {
    how: 'for this RP alone, with all of its client',
    reason: 'admin',
    scope: 'logins',
    reach: 'everybody',
    end: (_visitor, { logout, rp }) => logout.terminateClient(rp.clientId, OPERATOR),
  },
  {
    how: 'with all others, by an operator',
    reason: 'admin',
    scope: 'session',
    reach: 'everybody',
    end: (_visitor, { logout }) => logout.terminateAll(OPERATOR),
  },
]
