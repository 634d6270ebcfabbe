import assert from 'node:assert/strict'
import type { Reason } from '../../plugins/back-channel-logout/index.ts'
import { REASONS } from '../../plugins/back-channel-logout/reasons.ts'
import { switchAccount } from '../support/account-switch.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Client, Person } from '../support/op.ts'
import type { RelyingParty } from '../support/rp.ts'

/** What application code sees of a session; its types know less. */
interface AppSession {
  readonly uid: string
  authorizations: Record<string, unknown>
  save(ttlSeconds: number): Promise<string>
  destroy(): Promise<void>
}

type Scene = LogoutScene<'all' | 'only' | 'others'>

/** A way in which a session ends. */
interface Way {
  readonly how: string
  readonly reason: Reason
  /** Default: the whole session. */
  readonly part?: true
  readonly actor?: string
  end(person: Person, scene: Scene): Promise<unknown>
}

const BY = { actor: 'anna' }

const WAYS: readonly Way[] = [
  { how: 'RP-initiated logout', reason: 'rp_initiated', end: (person) => person.logout({ client_id: 'all' }) },
  {
    how: 'RP-initiated logout of the asking RP alone',
    reason: 'rp_initiated',
    part: true,
    // Each of the three asks for itself: the others' logins live on.
    async end(person) {
      for (const client_id of ['all', 'only', 'others']) {
        await person.confirm(await person.endSession({ client_id }), false)
      }
    },
  },
  {
    how: 'the login of another account in the same browser',
    reason: 'account_switched',
    end: ({ agent }, { op }) =>
      switchAccount(agent, new Person(op).authorizationUrl('all', { prompt: 'login' }), 'bob'),
  },
  {
    how: 'an ID token of it, from another browser',
    reason: 'single_session',
    async end(person, { op, rps }) {
      const code = await person.authorize('all')
      const { body } = await new Client(op, rps.all.metadata).exchange(String(code.get('code')))
      await new Person(op).endSessionOf(String(body['id_token']))
    },
  },
  {
    how: 'its expiry',
    reason: 'session_expired',
    actor: 'system',
    end: async (person, scene) => (await sessionOf(person, scene)).save(1),
  },
  {
    how: 'a write without its authorizations',
    reason: 'authorization_removed',
    part: true,
    async end(person, scene) {
      const session = await sessionOf(person, scene)
      session.authorizations = {}
      await session.save(3_600)
    },
  },
  {
    how: 'application code that destroys it',
    reason: 'session_destroyed',
    end: async (person, scene) => (await sessionOf(person, scene)).destroy(),
  },
  {
    how: 'an operator, who ends it',
    reason: 'admin',
    ...BY,
    end: async (person, scene) => scene.logout.terminateSession((await sessionOf(person, scene)).uid, BY),
  },
  {
    how: 'an operator, who ends all of the account',
    reason: 'admin',
    ...BY,
    end: (_person, { logout }) => logout.terminateAccount('alice', BY),
  },
  {
    how: 'an operator, who ends all logins at its clients',
    reason: 'admin',
    part: true,
    ...BY,
    end: async (_person, { logout }) => {
      for (const client of ['all', 'only', 'others']) await logout.terminateClient(client, BY)
    },
  },
  {
    how: 'an operator, who ends all',
    reason: 'admin',
    ...BY,
    end: (_person, { logout }) => logout.terminateAll(BY),
  },
  ...(['account_disabled', 'account_deleted', 'password_changed', 'signed_out_everywhere'] as const).map(
    (reason): Way => ({
      how: `the application, which says ${reason}`,
      reason,
      ...BY,
      end: (_person, { logout }) => logout.terminateAccount('alice', { ...BY, reason }),
    }),
  ),
]

describe('a session ends by', () => {
  let scene: Scene | undefined

  afterEach(async () => {
    await scene?.stop()
    scene = undefined
  })

  for (const { how, reason, part, actor, end } of WAYS) {
    it(`${how}: the RPs that want to be told of ${reason} are, by tokens that verify`, async () => {
      scene = await LogoutScene.start(
        {
          all: {},
          only: { backchannel_logout_initiators: [reason] },
          others: { backchannel_logout_initiators: REASONS.filter((other) => other !== reason) },
        },
        {
          logout: { singleSessionTermination: true, mayFilterOperators: ['only', 'others'] },
          configuration: { clockTolerance: 0 },
        },
      )
      const person = new Person(scene.op)
      for (const rp of ['all', 'only', 'others']) await person.authorize(rp)
      const { uid } = await sessionOf(person, scene)
      await end(person, scene)
      await Promise.all([scene.rps.all.received(1), scene.rps.only.received(1)])
      const { ends } = await scene.receiptOf(uid)
      for (const each of ends) {
        assert.deepEqual([each.reason, each.scope, each.origin], [reason, part ? 'logins' : 'session', scene.op.issuer])
        assert.equal(each.actor, actor)
      }
      const told = ends.flatMap(({ relyingParties }) => relyingParties)
      assert.deepEqual(
        told.map(({ clientId, state, status }) => [clientId, state, status]),
        [
          ['all', 'confirmed', 200],
          ['only', 'confirmed', 200],
        ],
      )
      for (const { clientId, sid } of told) {
        const rp: RelyingParty = scene.rps[clientId as 'all' | 'only']
        const token = await rp.verify(String(rp.tokens[0]), scene.op.issuer)
        assert.deepEqual([rp.tokens.length, token.sub, token.sid], [1, 'alice', sid])
      }
      assert.deepEqual(scene.rps.others.tokens, [])
    })
  }

  it('each of the reasons there are', () => {
    assert.deepEqual(new Set(WAYS.map(({ reason }) => reason)), new Set(REASONS))
  })
})

async function sessionOf(person: Person, { op }: Scene): Promise<AppSession> {
  const session = await op.provider.Session.find(String(person.agent.cookie('_session')))
  return session as unknown as AppSession
}
