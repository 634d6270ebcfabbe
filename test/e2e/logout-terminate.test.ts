import assert from 'node:assert/strict'
import { AccountKeys, systemClock } from '../../lib/index.ts'
import { terminationJobsIn } from '../../plugins/back-channel-logout/ending/termination-work.ts'
import type { TerminationStatus } from '../../plugins/back-channel-logout/index.ts'
import { terminationStream } from '../../plugins/back-channel-logout/recording/index-streams.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Client, Person } from '../support/op.ts'

const ACTOR = { actor: 'operator anna' }

describe('operators end', () => {
  let scene: LogoutScene<'one' | 'two'>

  beforeEach(async () => {
    scene = await LogoutScene.start({ one: {}, two: {} })
  })

  afterEach(() => scene.stop())

  /** Logs in at RPs. Returns the person. */
  async function loggedIn(login: string, ...rps: ('one' | 'two')[]): Promise<Person> {
    const person = new Person(scene.op)
    for (const rp of rps) await person.authorize(rp, { login })
    return person
  }

  async function uidOf(person: Person): Promise<string> {
    const session = await scene.op.provider.Session.find(String(person.agent.cookie('_session')))
    return String(session?.uid)
  }

  async function isLoggedIn(person: Person): Promise<boolean> {
    const answer = await person.agent.get(person.authorizationUrl('one', { prompt: 'none' }))
    const error = new URL(String(answer.headers.get('location'))).searchParams.get('error')
    return error !== 'login_required'
  }

  async function listed(): Promise<TerminationStatus[]> {
    const all: TerminationStatus[] = []
    for await (const one of scene.logout.terminations()) all.push(one)
    return all
  }

  it('one session: it is closed, its RPs are told, others live on', async () => {
    const [alice, again] = [await loggedIn('alice', 'one', 'two'), await loggedIn('alice', 'one')]
    const uid = await uidOf(alice)
    assert.deepEqual(await scene.logout.terminateSession(uid, { ...ACTOR, dryRun: true }), {
      sessions: 1,
      logins: 2,
      grants: 2,
      failed: 0,
    })
    assert.equal(await isLoggedIn(alice), true, 'a dry run ends nothing')
    const report = await scene.logout.terminateSession(uid, ACTOR)
    assert.deepEqual(report, { sessions: 1, logins: 2, grants: 2, failed: 0 })
    assert.equal(await isLoggedIn(alice), false)
    assert.equal(await isLoggedIn(again), true)
    const [end] = (await scene.receiptOf(uid)).ends
    assert.deepEqual([end?.reason, end?.actor, end?.scope], ['admin', 'operator anna', 'session'])
    assert.deepEqual(
      end?.relyingParties.map(({ clientId, state }) => [clientId, state]),
      [
        ['one', 'confirmed'],
        ['two', 'confirmed'],
      ],
    )
    const [token] = await scene.rps.one.received(1)
    const { sub, sid } = await scene.rps.one.verify(String(token), scene.op.issuer)
    assert.deepEqual([sub, sid], ['alice', end?.relyingParties[0]?.sid])
    assert.deepEqual((await scene.logout.terminateSession(uid, ACTOR)).sessions, 0)
  })

  it('all sessions of an account, and no one else’s', async () => {
    const [first, second, bob] = [
      await loggedIn('alice', 'one', 'two'),
      await loggedIn('alice', 'one'),
      await loggedIn('bob', 'one'),
    ]
    const dry = await scene.logout.terminateAccount('alice', { ...ACTOR, reason: 'account_disabled', dryRun: true })
    const { id, ...report } = await scene.logout.terminateAccount('alice', { ...ACTOR, reason: 'account_disabled' })
    assert.deepEqual(report, { sessions: 2, logins: 3, grants: 3, failed: 0 })
    assert.deepEqual(dry, report)
    assert.deepEqual([await isLoggedIn(first), await isLoggedIn(second), await isLoggedIn(bob)], [false, false, true])
    const reasons = await Promise.all(
      (await scene.ended()).map(async (uid) => (await scene.receiptOf(uid)).ends[0]?.reason),
    )
    assert.deepEqual(reasons, ['account_disabled', 'account_disabled'])
    const listed = []
    for await (const status of scene.logout.terminations()) listed.push(status)
    assert.deepEqual(
      listed.map((status) => ({ ...status, orderedAt: 0, completedAt: 0 })),
      [
        {
          ...report,
          id,
          state: 'completed',
          of: 'account',
          accountId: 'alice',
          reason: 'account_disabled',
          actor: 'operator anna',
          orderedAt: 0,
          completedAt: 0,
        },
      ],
    )
  })

  for (const [what, terminate] of [
    ['a session', (uid: string, dryRun: boolean) => scene.logout.terminateSession(uid, { ...ACTOR, dryRun })],
    ...(['admin', 'account_disabled'] as const).map(
      (reason) =>
        [
          `an account (${reason})`,
          (_: string, dryRun: boolean) => scene.logout.terminateAccount('alice', { ...ACTOR, reason, dryRun }),
        ] as const,
    ),
  ] as const) {
    it(`${what} with a grant that was revoked before: it counts the grants that live, as its dry run does`, async () => {
      const uid = await uidOf(await loggedIn('alice', 'one', 'two'))
      const session = await scene.op.provider.Session.findByUid(uid)
      const grant = await scene.op.provider.Grant.find(String(session?.authorizations?.['two']?.grantId))
      await grant?.destroy()
      const dry = await terminate(uid, true)
      const { id: _, ...report } = await terminate(uid, false)
      assert.deepEqual([dry, report], Array(2).fill({ sessions: 1, logins: 2, grants: 1, failed: 0 }))
    })
  }

  it('an account with offline access whose session ended before: its grant is revoked, and the RP told without sid', async () => {
    const alice = new Person(scene.op)
    const code = await alice.authorize('two', { scope: 'openid offline_access', prompt: 'consent' })
    const client = new Client(scene.op, scene.rps.two.metadata)
    const { body } = await client.exchange(String(code.get('code')))
    await alice.logout()
    await scene.rps.two.received(1)
    const refreshed = await client.refresh(String(body['refresh_token']))
    assert.equal(refreshed.status, 200, 'offline access outlives the logout')

    const dry = await scene.logout.terminateAccount('alice', { ...ACTOR, reason: 'account_deleted', dryRun: true })
    const { id: _, ...report } = await scene.logout.terminateAccount('alice', { ...ACTOR, reason: 'account_deleted' })
    assert.deepEqual(report, { sessions: 0, logins: 1, grants: 1, failed: 0 })
    assert.deepEqual(dry, report)
    const [, token] = await scene.rps.two.received(2)
    const told = await scene.rps.two.verify(String(token), scene.op.issuer)
    assert.deepEqual([told.sub, told.sid], ['alice', undefined])
    assert.equal((await client.refresh(String(refreshed.body['refresh_token']))).status, 400)
  })

  it('every login at a client, while the sessions live on', async () => {
    const [alice, bob] = [await loggedIn('alice', 'one', 'two'), await loggedIn('bob', 'two')]
    const dry = await scene.logout.terminateClient('two', { ...ACTOR, dryRun: true })
    const { id: _, ...report } = await scene.logout.terminateClient('two', ACTOR)
    assert.deepEqual(report, { sessions: 2, logins: 2, grants: 2, failed: 0 })
    assert.deepEqual(dry, report)
    await scene.rps.two.received(2)
    await scene.quiet()
    assert.deepEqual(scene.rps.one.tokens, [])
    assert.deepEqual([await isLoggedIn(alice), await isLoggedIn(bob)], [true, true])
    await alice.logout()
    await scene.rps.one.received(1)
    await scene.quiet()
    assert.equal(scene.rps.two.tokens.length, 2, 'it is told once')
  })

  it('everybody', async () => {
    const people = [await loggedIn('alice', 'one'), await loggedIn('bob', 'two'), await loggedIn('carol', 'one', 'two')]
    const seen: number[] = []
    const { id: _, ...report } = await scene.logout.terminateAll({
      ...ACTOR,
      onProgress: ({ sessions }) => seen.push(sessions),
    })
    assert.deepEqual(report, { sessions: 3, logins: 4, grants: 4, failed: 0 })
    assert.equal(seen.at(-1), 3)
    for (const person of people) assert.equal(await isLoggedIn(person), false)
    await scene.quiet()
    assert.deepEqual([scene.rps.one.tokens.length, scene.rps.two.tokens.length], [2, 2])
  })

  it('a login at a client that is just being answered: the browser asks again, and the client gets nothing', async () => {
    const alice = await loggedIn('alice', 'one', 'two')
    const { readStreams } = scene.store
    let ended = false
    scene.store.readStreams = async (streams, options) => {
      const found = await readStreams.call(scene.store, streams, options)
      if (!ended && streams.some((stream) => stream.startsWith('Grant:'))) {
        ended = true // the request has read its session by now
        await scene.logout.terminateClient('two', ACTOR)
      }
      return found
    }
    const url = alice.authorizationUrl('two', { prompt: 'none' })
    const answer = await alice.agent.get(url)
    assert.deepEqual(
      [ended, answer.status, answer.headers.get('location')],
      [true, 303, new URL(url).pathname + new URL(url).search],
    )
    const again = await alice.agent.get(url)
    const { searchParams } = new URL(String(again.headers.get('location')))
    assert.deepEqual([searchParams.get('error'), searchParams.get('code')], ['consent_required', null])
    await alice.authorize('two')
    await alice.logout()
    const [, token] = await scene.rps.two.received(2)
    assert.ok(token, 'the login that it has got since is known')
  })

  it('no login at a client at which it was only begun, nor count one', async () => {
    const alice = await loggedIn('alice', 'one')
    await alice.agent.follow(await alice.agent.get(alice.authorizationUrl('two')), (url) =>
      url.startsWith(scene.op.issuer),
    )
    const session = await scene.op.provider.Session.find(String(alice.agent.cookie('_session')))
    assert.deepEqual(session?.authorizations?.['two'], {}, 'as the provider leaves it')
    const dry = await scene.logout.terminateClient('two', { ...ACTOR, dryRun: true })
    const { id: _, ...report } = await scene.logout.terminateClient('two', ACTOR)
    assert.deepEqual([dry, report], Array(2).fill({ sessions: 0, logins: 0, grants: 0, failed: 0 }))
  })

  it('nothing where the caller has given up before', async () => {
    const alice = await loggedIn('alice', 'one')
    for (const dryRun of [true, false]) {
      const call = scene.logout.terminateAll({ ...ACTOR, dryRun, signal: AbortSignal.abort(new Error('gone home')) })
      await assert.rejects(call, /gone home/)
    }
    for await (const { id } of scene.logout.terminations()) assert.fail(`${id} was ordered`)
    assert.equal(await isLoggedIn(alice), true)
  })

  it('everybody, though the caller’s own function for the progress fails: the caller is told', async () => {
    const alice = await loggedIn('alice', 'one')
    const onProgress = (): void => {
      throw new Error('no such element')
    }
    await assert.rejects(scene.logout.terminateAll({ ...ACTOR, onProgress }), /no such element/)
    assert.equal(await isLoggedIn(alice), false)
  })

  it('everybody, though the caller gives up in between, or the process stops: others go on, or the next start', async () => {
    const alice = await loggedIn('alice', 'one', 'two')
    const work = scene.store.work('endings')
    const { claim, get } = work
    work.claim = async () => []
    const caller = new AbortController()
    const calls = [
      scene.logout.terminateAll({ ...ACTOR, signal: caller.signal }),
      scene.logout.terminateAll({ ...ACTOR, reason: 'account_disabled' }),
    ]
    while ((await listed()).length < 2) await new Promise((resolve) => setImmediate(resolve))
    caller.abort(new Error('gone home'))
    await assert.rejects(calls[0] as Promise<unknown>, /gone home/)
    const NOTHING = { sessions: 0, logins: 0, grants: 0, failed: 0 }
    // At the second look as where the process dies before it has noted what is to be done.
    for (const look of [get, async () => undefined]) {
      Object.assign(work, { get: look })
      for (const { state, completedAt, sessions, logins, grants, failed } of await listed()) {
        assert.deepEqual([state, completedAt], ['running', undefined])
        assert.deepEqual({ sessions, logins, grants, failed }, NOTHING)
      }
    }
    Object.assign(work, { get })
    const unfinished = assert.rejects(calls[1] as Promise<unknown>, { code: 'TERMINATION_UNFINISHED' })
    await scene.op.eventSourced.stop()
    await unfinished
    assert.equal(await isLoggedIn(alice), true)
    Object.assign(work, { claim })
    await scene.op.eventSourced.start(scene.op.provider as never)
    while ((await listed()).some(({ state }) => state === 'running'))
      await new Promise((resolve) => setImmediate(resolve))
    assert.equal(await isLoggedIn(alice), false)
    const ended = (await listed()).map(({ sessions, logins }) => `${sessions} with ${logins}`)
    assert.deepEqual(ended.sort(), ['0 with 0', '1 with 2'])
  })

  it('and list what they have ended, the newest first: whose sessions, or at which client', async () => {
    await loggedIn('alice', 'one')
    await scene.logout.terminateAccount('alice', { ...ACTOR, reason: 'account_disabled' })
    await scene.logout.terminateClient('two', ACTOR)
    await scene.logout.terminateAll(ACTOR)
    const found = (await listed()).map(({ id: _, orderedAt, completedAt, ...rest }) => {
      assert.ok(Number(completedAt) >= orderedAt)
      return rest
    })
    const NOTHING = { sessions: 0, logins: 0, grants: 0, failed: 0 }
    const common = { state: 'completed', reason: 'admin', actor: ACTOR.actor, ...NOTHING }
    assert.deepEqual(found, [
      { ...common, of: 'all' },
      { ...common, of: 'client', clientId: 'two' },
      { ...common, of: 'account', accountId: 'alice', reason: 'account_disabled', sessions: 1, logins: 1, grants: 1 },
    ])
  })

  it('nothing that began later', async () => {
    await loggedIn('alice', 'one')
    await scene.logout.terminateAll(ACTOR)
    const later = await loggedIn('alice', 'one')
    const report = await scene.logout.terminateAll({ ...ACTOR, dryRun: true })
    assert.equal(report.sessions, 1)
    assert.equal(await isLoggedIn(later), true)
  })

  it('nothing for a call that makes no sense, and name what is wrong with it', async () => {
    const alice = await loggedIn('alice', 'one')
    const before = await scene.store.end()
    const { logout } = scene
    const calls: [string, () => Promise<unknown>][] = [
      ['actor', () => logout.terminateSession('uid', undefined as never)],
      ['actor', () => logout.terminateAccount('alice', { actor: ' ' })],
      ['actor', () => logout.terminateAll({} as never)],
      ['dryRun', () => logout.terminateAccount('alice', { ...ACTOR, dryRun: 'yes' as never })],
      ['reason', () => logout.terminateAccount('alice', { ...ACTOR, reason: 'rp_initiated' as never })],
      ['reason', () => logout.terminateClient('one', { ...ACTOR, reason: 'admin' } as never)],
      ['onProgress', () => logout.terminateSession('uid', { ...ACTOR, onProgress() {} } as never)],
      ['onProgress', () => logout.terminateAll({ ...ACTOR, onProgress: 1 as never })],
      ['signal', () => logout.terminateAll({ ...ACTOR, signal: {} as never })],
      ['uid', () => logout.terminateSession('', ACTOR)],
      ['accountId', () => logout.terminateAccount(7 as never, ACTOR)],
      ['clientId', () => logout.terminateClient('', ACTOR)],
    ]
    for (const [option, call] of calls) await assert.rejects(call(), { code: 'OPTION_INVALID', option }, option)
    assert.equal(await scene.store.end(), before, 'nothing was recorded')
    assert.equal(await isLoggedIn(alice), true)
  })

  it('what is left of many at once, whatever the clock of the process that ended the first of them', async () => {
    const { Session } = scene.op.provider
    for (let n = 0; n < 300; n++) {
      const session = new Session()
      session.loginAccount({ accountId: `user-${n}` })
      await session.save(3_600)
    }
    const work = scene.store.work('endings')
    const { putBack } = work
    const dueAt: number[] = []
    work.putBack = (row, change) => {
      dueAt.push(change.dueAt)
      return putBack.call(work, row, change)
    }
    assert.equal((await scene.logout.terminateAll(ACTOR)).sessions, 300)
    assert.deepEqual(dueAt, [0])
  })

  it('nothing again when the work of an order is made anew from the log', async () => {
    await loggedIn('alice', 'one')
    const { id } = await scene.logout.terminateAll(ACTOR)
    await scene.quiet()
    const work = scene.store.work('endings')
    const [ordered] = await scene.store.read(terminationStream(String(id)))
    assert.ok(ordered)
    const [made] = await terminationJobsIn(new AccountKeys(scene.store, systemClock), ordered)
    const { append } = scene.store
    const tried: string[] = []
    scene.store.append = (commit) => {
      tried.push(...commit.events.map(({ type }) => type))
      return append.call(scene.store, commit)
    }
    assert.ok(made)
    await work.sweep(Number.POSITIVE_INFINITY)
    assert.equal(await work.get(`job/${id}`), undefined)
    await work.add([made])
    await scene.op.eventSourced.stop()
    await scene.op.eventSourced.start(scene.op.provider as never)
    while ((await work.get(`job/${id}`))?.doneAt === undefined) await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(tried, [])
  })
})
