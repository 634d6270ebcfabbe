import assert from 'node:assert/strict'
import {
  type LiveGrant,
  LogoutOperations,
  type Receipt,
  type TerminationStatus,
} from '../../plugins/back-channel-logout/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { all } from '../support/logout-log.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Client, Person, testClient } from '../support/op.ts'

const ACTOR = { actor: 'account:self' }

describe('what an account ends of its own', () => {
  let scene: LogoutScene<'one' | 'two'>

  beforeEach(async () => {
    scene = await LogoutScene.start({ one: {}, two: {} })
  })

  afterEach(() => scene.stop())

  async function loggedIn(login: string, ...rps: string[]): Promise<Person> {
    const person = new Person(scene.op)
    for (const rp of rps) await person.authorize(rp, { login })
    return person
  }

  async function sessionOf(person: Person) {
    const session = await scene.op.provider.Session.find(String(person.agent.cookie('_session')))
    assert.ok(session, 'the session lives')
    return session
  }

  async function hasEnded(person: Person): Promise<boolean> {
    return (await scene.op.provider.Session.find(String(person.agent.cookie('_session'))))?.accountId === undefined
  }

  /** A grant that no session stands on. */
  async function offlineGrant(accountId: string, clientId: string): Promise<string> {
    const grant = new scene.op.provider.Grant({ accountId, clientId })
    grant.addOIDCScope('openid offline_access')
    return grant.save()
  }

  async function grants(account: string): Promise<string[]> {
    return (await all(scene.logout.grants({ account }))).map(({ clientId }) => clientId).sort()
  }

  async function told(id: string | undefined): Promise<[string, string, string][]> {
    await scene.quiet()
    const receipts: Receipt[] = await all(scene.logout.receiptsOf(String(id)))
    return receipts
      .flatMap(({ ends }) =>
        ends.flatMap(({ reason, relyingParties }) => relyingParties.map((rp) => ({ reason, ...rp }))),
      )
      .map(({ reason, clientId, state }): [string, string, string] => [reason, clientId, state])
      .sort()
  }

  describe('one session', () => {
    it('ends for the reason that is given, if it is a session of the account', async () => {
      const alice = await loggedIn('alice', 'one')
      const { uid } = await sessionOf(alice)
      const wanted = { ...ACTOR, reason: 'single_session' } as const
      for (const other of ['bob', 'Alice']) {
        const report = await scene.logout.terminateSession(uid, { ...wanted, account: other })
        assert.deepEqual(report, { sessions: 0, logins: 0, grants: 0, failed: 0 })
        assert.deepEqual(report, await scene.logout.terminateSession('nobody', { ...wanted, account: other }))
      }
      assert.equal(await hasEnded(alice), false)
      const report = await scene.logout.terminateSession(uid, { ...wanted, account: 'alice' })
      assert.deepEqual(report, { sessions: 1, logins: 1, grants: 1, failed: 0 })
      assert.equal(await hasEnded(alice), true)
      const { ends } = await scene.receiptOf(uid)
      assert.deepEqual(
        ends.map(({ reason, actor }) => [reason, actor]),
        [['single_session', 'account:self']],
      )
    })

    it('is not ended for a reason that is another thing’s', async () => {
      for (const wrong of [{ reason: 'signed_out_everywhere' }, { reason: 'rp_initiated' }, { account: '' }])
        await assert.rejects(scene.logout.terminateSession('uid', { ...ACTOR, ...wrong } as never), {
          code: 'OPTION_INVALID',
        })
    })
  })

  describe('all sessions but one', () => {
    it('end, and the one goes on with its logins and its grants', async () => {
      const here = await loggedIn('alice', 'one', 'two')
      const [phone, desk, bob] = [
        await loggedIn('alice', 'one'),
        await loggedIn('alice', 'two'),
        await loggedIn('bob', 'one'),
      ]
      const lost = await offlineGrant('alice', 'one')
      const kept = await sessionOf(here)
      const options = { ...ACTOR, reason: 'signed_out_everywhere', except: kept.uid } as const
      const dry = await scene.logout.terminateAccount('alice', { ...options, dryRun: true })
      const { id, ...report } = await scene.logout.terminateAccount('alice', options)
      assert.deepEqual(report, { sessions: 2, logins: 2, grants: 3, failed: 0 })
      assert.deepEqual(dry, report)
      assert.deepEqual(
        [await hasEnded(here), await hasEnded(phone), await hasEnded(desk), await hasEnded(bob)],
        [false, true, true, false],
      )
      assert.deepEqual(await grants('alice'), ['one', 'two'])
      assert.equal(await scene.op.provider.Grant.find(lost), undefined)
      assert.deepEqual(await told(id), [
        ['signed_out_everywhere', 'one', 'confirmed'],
        ['signed_out_everywhere', 'two', 'confirmed'],
      ])
      assert.ok((await here.authorize('one', { prompt: 'none' })).get('code'))
    })

    it('end, and an RP that holds a grant alone is not told without a sid: the one has a login there', async () => {
      const here = await sessionOf(await loggedIn('alice', 'one'))
      const lost = await offlineGrant('alice', 'one')
      const options = { ...ACTOR, reason: 'signed_out_everywhere', except: here.uid } as const
      const dry = await scene.logout.terminateAccount('alice', { ...options, dryRun: true })
      const { id, ...report } = await scene.logout.terminateAccount('alice', options)
      assert.deepEqual(report, { sessions: 0, logins: 0, grants: 1, failed: 0 })
      assert.deepEqual(dry, report)
      assert.equal(await scene.op.provider.Grant.find(lost), undefined)
      assert.deepEqual(await told(id), [])
      assert.deepEqual(scene.rps.one.tokens, [])
    })

    it('end, and a grant that they share with the one stays', async () => {
      const [here, phone] = [await loggedIn('alice', 'one'), await loggedIn('alice', 'one')]
      const [kept, other] = [await sessionOf(here), await sessionOf(phone)]
      const shared = String(kept.grantIdFor('one'))
      other.grantIdFor('one', shared)
      await other.persist()
      await scene.logout.terminateAccount('alice', { ...ACTOR, reason: 'password_changed', except: kept.uid })
      assert.equal(await hasEnded(phone), true)
      assert.ok(await scene.op.provider.Grant.find(shared))
    })

    it('end with all grants where the one has ended meanwhile, and tell RPs that hold a grant alone', async () => {
      await loggedIn('alice', 'one')
      await offlineGrant('alice', 'two')
      const { id } = await scene.logout.terminateAccount('alice', {
        ...ACTOR,
        reason: 'signed_out_everywhere',
        except: 'ended',
      })
      assert.deepEqual(await grants('alice'), [])
      assert.deepEqual(await told(id), [
        ['signed_out_everywhere', 'one', 'confirmed'],
        ['signed_out_everywhere', 'two', 'confirmed'],
      ])
    })

    it('end with their refresh tokens, and those of the one go on; also by an order that only the log holds', async () => {
      const client = new Client(scene.op, scene.rps.one.metadata)
      const tokensOf = async (person: Person): Promise<string> => {
        const query = { login: 'alice', scope: 'openid offline_access', prompt: 'consent' }
        const { body } = await client.exchange(String((await person.authorize('one', query)).get('code')))
        return String((body as { refresh_token?: string }).refresh_token)
      }
      const [here, lost, older] = [new Person(scene.op), new Person(scene.op), new Person(scene.op)]
      const [own, stolen, gone] = [await tokensOf(here), await tokensOf(lost), await tokensOf(older)]
      await older.logout()
      const operations = new LogoutOperations({ store: scene.store, issuer: scene.op.issuer })
      const whose = { kind: 'account', accountId: 'alice', except: (await sessionOf(here)).uid } as const
      const { id } = await operations.terminate(whose, { ...ACTOR, reason: 'signed_out_everywhere' })
      while (!(await scene.logout.termination(id))) await new Promise((resolve) => setImmediate(resolve))
      assert.deepEqual([(await client.refresh(stolen)).status, (await client.refresh(gone)).status], [400, 400])
      assert.equal((await client.refresh(own)).status, 200)
      assert.deepEqual([await hasEnded(lost), await hasEnded(here)], [true, false])
      assert.equal((await scene.logout.termination(id))?.sessions, 1)
      assert.equal(await scene.logout.termination('unknown'), undefined)
    })

    it('end as if there were none where the one is another account’s', async () => {
      const bob = await sessionOf(await loggedIn('bob', 'two'))
      await offlineGrant('alice', 'two')
      const options = { ...ACTOR, reason: 'signed_out_everywhere', except: bob.uid } as const
      const dry = await scene.logout.terminateAccount('alice', { ...options, dryRun: true })
      const { id, ...report } = await scene.logout.terminateAccount('alice', options)
      assert.deepEqual(report, { sessions: 0, logins: 1, grants: 1, failed: 0 })
      assert.deepEqual(dry, report)
      assert.deepEqual(await told(id), [['signed_out_everywhere', 'two', 'confirmed']])
      assert.deepEqual(await grants('bob'), ['two'])
    })

    it('are listed with the one that goes on', async () => {
      const here = await sessionOf(await loggedIn('alice', 'one'))
      await scene.logout.terminateAccount('alice', { ...ACTOR, except: here.uid })
      const [listed] = (await all(scene.logout.terminations())) as TerminationStatus[]
      assert.deepEqual([listed?.of, listed?.accountId, listed?.except], ['account', 'alice', here.uid])
      await assert.rejects(scene.logout.terminateAccount('alice', { ...ACTOR, except: '' }), { code: 'OPTION_INVALID' })
    })
  })

  describe('what it has allowed a client', () => {
    it('is taken back: its grants are revoked, its logins end, the sessions live on', async () => {
      const [here, phone, bob] = [
        await loggedIn('alice', 'one', 'two'),
        await loggedIn('alice', 'one'),
        await loggedIn('bob', 'one'),
      ]
      await offlineGrant('alice', 'one')
      const options = ACTOR
      const dry = await scene.logout.terminateClientOfAccount('alice', 'one', { ...options, dryRun: true })
      const { id, ...report } = await scene.logout.terminateClientOfAccount('alice', 'one', options)
      assert.deepEqual(report, { sessions: 2, logins: 2, grants: 3, failed: 0 })
      assert.deepEqual(dry, report)
      assert.deepEqual(await grants('alice'), ['two'])
      assert.deepEqual(await grants('bob'), ['one'])
      assert.deepEqual(
        [(await sessionOf(here)).sidFor('one'), (await sessionOf(phone)).sidFor('one')],
        [undefined, undefined],
      )
      assert.ok((await sessionOf(here)).sidFor('two'))
      assert.ok((await sessionOf(bob)).sidFor('one'))
      assert.deepEqual(await told(id), [
        ['authorization_removed', 'one', 'confirmed'],
        ['authorization_removed', 'one', 'confirmed'],
      ])
      const [listed] = (await all(scene.logout.terminations())) as TerminationStatus[]
      assert.deepEqual([listed?.of, listed?.accountId, listed?.clientId], ['account', 'alice', 'one'])
    })

    it('is taken back of a client that holds a grant alone, which is told, and its tokens are gone', async () => {
      const alice = new Person(scene.op)
      const code = String(
        (await alice.authorize('one', { scope: 'openid offline_access', prompt: 'consent' })).get('code'),
      )
      const client = new Client(scene.op, scene.rps.one.metadata)
      const { refresh_token } = (await client.exchange(code)).body as { refresh_token: string }
      await alice.logout()
      await scene.quiet()
      assert.deepEqual(await grants('alice'), ['one'])
      const { id } = await scene.logout.terminateClientOfAccount('alice', 'one', ACTOR)
      assert.deepEqual(await told(id), [['authorization_removed', 'one', 'confirmed']])
      assert.equal((await client.refresh(refresh_token)).status, 400)
    })

    it('comes to nothing where there is nothing', async () => {
      await loggedIn('bob', 'one')
      const { id: _, ...report } = await scene.logout.terminateClientOfAccount('alice', 'one', ACTOR)
      assert.deepEqual(report, { sessions: 0, logins: 0, grants: 0, failed: 0 })
      await assert.rejects(scene.logout.terminateClientOfAccount('alice', '', ACTOR), { code: 'OPTION_INVALID' })
    })
  })
})

describe('the live grants of an account', () => {
  let clock: FakeClock
  let scene: LogoutScene<'one' | 'two'>

  beforeEach(async () => {
    clock = new FakeClock(Date.now())
    scene = await LogoutScene.start({ one: {}, two: {} }, { clock, others: [testClient('untold')] })
  })

  afterEach(() => scene.stop())

  async function saved(accountId: string, clientId: string, ttlSeconds = 3_600): Promise<string> {
    const grant = new scene.op.provider.Grant({
      accountId,
      clientId,
      ...{ exp: Math.floor(Date.now() / 1_000) + ttlSeconds },
    })
    grant.addOIDCScope('openid email profile')
    grant.rejectOIDCScope('profile')
    grant.addOIDCClaims(['birthdate', 'gender'])
    grant.rejectOIDCClaims(['gender'])
    grant.addResourceScope('https://api.example.com', 'read write')
    grant.rejectResourceScope('https://api.example.com', 'write')
    grant.addResourceScope('https://other.example.com', 'read')
    grant.rejectResourceScope('https://other.example.com', 'read')
    return grant.save()
  }

  it('say what they allow, since when and until when', async () => {
    const before = Math.floor(Date.now() / 1_000) * 1_000
    const id = await saved('alice', 'one')
    const grant = await scene.op.provider.Grant.find(id)
    const [found, ...more] = await all(scene.logout.grants({ account: 'alice' }))
    assert.deepEqual(more, [])
    assert.ok(found?.since !== undefined && found.since >= before && found.since <= Date.now())
    assert.deepEqual(found, {
      id,
      accountId: 'alice',
      clientId: 'one',
      since: found.since,
      expiresAt: Number(grant?.exp) * 1_000,
      scopes: ['openid', 'email'],
      claims: ['birthdate'],
      resources: [{ resource: 'https://api.example.com', scopes: ['read'] }],
      hasBackchannelLogout: true,
    } satisfies LiveGrant)
  })

  it('are those of the account, and of a client where one is named, the one written last first, each once', async () => {
    const [first, second] = [await saved('alice', 'one'), await saved('alice', 'untold')]
    await saved('bob', 'one')
    await (await scene.op.provider.Grant.find(first))?.save()
    const ids = async (criteria: { client?: string }, limit = 10): Promise<string[]> =>
      (await all(scene.logout.grants({ account: 'alice', ...criteria }, { limit }))).map(({ id }) => id)
    assert.deepEqual(await ids({}), [first, second])
    assert.deepEqual(await ids({}, 1), [first])
    assert.deepEqual(await ids({ client: 'untold' }), [second])
    assert.deepEqual(await ids({ client: 'nobody' }), [])
    assert.deepEqual(await all(scene.logout.grants({ account: 'alice' }, { signal: AbortSignal.abort() })), [])
  })

  it('lack what was revoked, and what has expired, as late as the provider would still take it', async () => {
    await (await scene.op.provider.Grant.find(await saved('alice', 'one')))?.destroy()
    const id = await saved('alice', 'two', 60)
    await clock.advance(60_000 + 15_000 - 2_000)
    assert.deepEqual(
      (await all(scene.logout.grants({ account: 'alice' }))).map((grant) => grant.id),
      [id],
    )
    await clock.advance(4_000)
    assert.deepEqual(await all(scene.logout.grants({ account: 'alice' })), [])
  })

  it('are refused for what is no account, and for options that nobody knows', () => {
    for (const account of ['', undefined, 1])
      assert.throws(() => scene.logout.grants({ account: account as string }), { code: 'OPTION_INVALID' })
    for (const wrong of [{ client: '' }, { clientId: 'one' }])
      assert.throws(() => scene.logout.grants({ account: 'alice', ...wrong } as never), { code: 'OPTION_INVALID' })
    assert.throws(() => scene.logout.receiptsOf(''), { code: 'OPTION_INVALID' })
  })
})
