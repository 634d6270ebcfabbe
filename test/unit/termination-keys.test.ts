import assert from 'node:assert/strict'
import type Provider from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type Host, type Keys, type Plugin, StoreUnavailableError } from '../../lib/index.ts'
import { KeyRing } from '../../lib/secrets/key-ring.ts'
import type {
  Tally,
  TerminationReason,
  TerminationTarget,
} from '../../plugins/back-channel-logout/ending/termination-events.ts'
import { newTerminationJob, type TerminationJob } from '../../plugins/back-channel-logout/ending/termination-job.ts'
import { previewTermination } from '../../plugins/back-channel-logout/ending/termination-preview.ts'
import { TerminationRun } from '../../plugins/back-channel-logout/ending/termination-run.ts'
import { type BackChannelLogout, backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { terminationStream } from '../../plugins/back-channel-logout/recording/index-streams.ts'
import { type Op, startOp, testClient } from '../support/op.ts'
import { interceptReads } from '../support/reads.ts'
import { terminationParts } from '../support/termination-parts.ts'

type SessionOf = InstanceType<Provider['Session']>

describe('a termination while keys rotate', () => {
  let store: MemoryEventStore
  let op: Op
  let host: Host
  let logout: BackChannelLogout

  beforeEach(async () => {
    store = new MemoryEventStore({ keys: keys(['s1'], ['h1']) })
    const caught: Host[] = []
    const catcher: Plugin = { name: 'catcher', start: async (given) => void caught.push(given), stop: async () => {} }
    const network = { post: async () => ({ kind: 'answered' as const, status: 200, body: '' }), close: async () => {} }
    logout = backChannelLogout({ network })
    const clients = [testClient('rp', { backchannel_logout_uri: 'https://rp.example.com/logout' })]
    op = await startOp(store, { plugins: [catcher, logout], clients })
    host = caught[0] as Host
  })

  afterEach(async () => {
    await op.stop()
    await store.close()
  })

  it('of an account ends nobody else’s sessions, though the hashing key is gone whose stream it was reading', async () => {
    const [alice, bob] = [await login('alice'), await login('bob')]
    const job: TerminationJob = { ...(await ordered('account')), place: { part: 'index', name: 1 } }
    assert.deepEqual(await carriedOut(job), { sessions: 0, logins: 0, grants: 0, failed: 0 })
    assert.deepEqual([await lives(alice), await lives(bob)], [true, true])
  })

  it('of an account ends no session that is another’s by now', async () => {
    const session = await login('alice')
    session.accountId = 'bob'
    await session.save(3_600)
    const job = await ordered('account')
    assert.equal((await previewTermination(terminationParts(host), job)).sessions, 0)
    assert.equal((await carriedOut(job)).sessions, 0)
    assert.equal(await lives(session), true)
  })

  for (const reason of ['admin', 'account_disabled'] as const) {
    it(`of an account counts each session and grant once, in a dry run too (${reason})`, async () => {
      await login('alice')
      rotateTo(keys(['s1'], ['h2', 'h1']))
      await login('alice')
      const job = await ordered('account', reason)
      const counts = { sessions: 2, logins: 2, grants: 2, failed: 0 }
      assert.deepEqual(await previewTermination(terminationParts(host), job), counts)
      assert.deepEqual(await carriedOut(job), counts)
    })
  }

  it('takes sessions as they stand, though old commits name them by a hashing key that is gone', async () => {
    const [alice, bob] = [await login('alice'), await login('bob')]
    rotateTo(keys(['s1'], ['h2', 'h1']))
    for (const session of [alice, bob]) await session.save(3_600)
    rotateTo(keys(['s1'], ['h2']))
    await alice.destroy()
    await bob.save(3_600)
    const job = await ordered('all')
    assert.equal((await previewTermination(terminationParts(host), job)).sessions, 1)
    const { sessions, failed } = await carriedOut(job)
    assert.deepEqual({ sessions, failed }, { sessions: 1, failed: 0 })
    assert.equal(await lives(bob), false)
  })

  it('counts what it cannot read, once, and goes on', async () => {
    const lost = await login('alice')
    for (let save = 0; save < 10; save++) await lost.save(3_600)
    rotateTo(keys(['s2'], ['h1']))
    const bob = await login('bob')
    const job = await ordered('all', 'account_disabled')
    const counts = { sessions: 1, logins: 1, grants: 1, failed: 2 } // a session and a grant
    assert.deepEqual(await previewTermination(terminationParts(host), job), counts)
    assert.deepEqual(await carriedOut(job, 4), counts)
    assert.equal(await lives(bob), false)
  })

  it('counts what it cannot read once, where the whole log is gone through', async () => {
    const lost = await login('alice')
    for (let save = 0; save < 10; save++) await lost.save(3_600)
    rotateTo(keys(['s2'], ['h1']))
    const job: TerminationJob = {
      ...(await ordered('all')),
      place: { part: 'history', before: (await store.end()) + 1 },
    }
    assert.equal((await previewTermination(terminationParts(host), job)).failed, 1)
    assert.equal((await carriedOut(job, 2)).failed, 1)
  })

  it('ends a session though a grant of its cannot be read', async () => {
    const session = await login('alice')
    interceptReads(store, async (_, read) =>
      (await read()).map((commit) => ({
        ...commit,
        events: commit.events.map((event) =>
          event.stream.startsWith('Grant:') ? { ...event, data: { ...event.data, sealed: 's0.lost' } } : event,
        ),
      })),
    )
    const report = await logout.terminateSession(session.uid, { actor: 'anna' })
    assert.deepEqual(report, { sessions: 1, logins: 1, grants: 1, failed: 0 })
    assert.equal(await lives(session), false)
  })

  it('counts a grant that has expired and that a session holds, in a dry run too', async () => {
    await login('alice', -60)
    const job = await ordered('account', 'account_disabled')
    const counts = { sessions: 1, logins: 1, grants: 1, failed: 0 }
    assert.deepEqual(await previewTermination(terminationParts(host), job), counts)
    assert.deepEqual(await carriedOut(job), counts)
  })

  it('revokes a grant that has expired and that the provider still takes, and no other', async () => {
    for (const seconds of [-10, -60]) await (await login('alice', seconds)).destroy()
    const job = await ordered('account', 'account_disabled')
    const counts = { sessions: 0, logins: 1, grants: 1, failed: 0 }
    assert.deepEqual(await previewTermination(terminationParts(host), job), counts)
    assert.deepEqual(await carriedOut(job), counts)
  })

  it('shows the live sessions of an account that can be read', async () => {
    await login('alice')
    rotateTo(keys(['s2'], ['h1']))
    const { uid } = await login('alice')
    assert.deepEqual(await sessionsOf('alice'), [uid])
  })

  it('shows the live sessions of an account though one has ended just now, or its seal is broken', async () => {
    const broken = await login('alice')
    await (await login('alice')).destroy()
    rotateTo({ ...keys([], ['h1']), sealing: [{ id: 's1', secret: Buffer.alloc(32, 'another') }] })
    const { uid } = await login('alice')
    // As before the planner has come to any of it.
    store.consumers.get = async () => undefined
    assert.deepEqual(await sessionsOf('alice'), [uid])
    assert.notEqual(broken.uid, uid)
  })

  it('counts nothing and shows no session while the store is away: an outage is no sign that nobody is logged in', async () => {
    await login('alice')
    const job = await ordered('account')
    interceptReads(store, (streams, read) =>
      streams.some((name) => name.startsWith('account:')) ? read() : Promise.reject(new StoreUnavailableError('away')),
    )
    await assert.rejects(previewTermination(terminationParts(host), job), StoreUnavailableError)
    await assert.rejects(sessionsOf('alice'), StoreUnavailableError)
  })

  it('is listed without its account where the key is gone that it was sealed with', async () => {
    await logout.terminateAccount('alice', { actor: 'anna' })
    rotateTo(keys(['s2'], ['h1']))
    await logout.terminateAccount('bob', { actor: 'anna' })
    const listed = []
    for await (const { of, accountId } of logout.terminations()) listed.push([of, accountId])
    assert.deepEqual(listed, [
      ['account', 'bob'],
      ['account', undefined],
    ])
  })

  function keys(sealing: readonly string[], hashing: readonly string[]): Keys {
    const key = (id: string) => ({ id, secret: Buffer.alloc(32, id) })
    return { sealing: sealing.map(key), hashing: hashing.map(key) }
  }

  /** As when all processes have started again with other keys. */
  function rotateTo(now: Keys): void {
    Object.defineProperty(store, 'keys', { value: new KeyRing(now) })
  }

  /** @param grantSeconds - how long the grant lives */
  async function login(accountId: string, grantSeconds = 3_600): Promise<SessionOf> {
    const { Session, Grant } = op.provider
    const grant = new Grant({ accountId, clientId: 'rp' })
    grant.exp = Math.floor(Date.now() / 1_000) + grantSeconds
    await grant.save()
    const session = new Session()
    session.loginAccount({ accountId })
    session.ensureClientContainer('rp')
    session.authorizationFor('rp').grantId = grant.jti
    await session.save(3_600)
    return session
  }

  async function sessionsOf(account: string): Promise<string[]> {
    const found: string[] = []
    for await (const { uid } of logout.sessions({ account })) found.push(uid)
    return found
  }

  async function lives({ uid }: SessionOf): Promise<boolean> {
    return (await op.provider.Session.findByUid(uid)) !== undefined
  }

  /** Of all, or of alice's account. */
  async function ordered(kind: 'account' | 'all', reason: TerminationReason = 'admin'): Promise<TerminationJob> {
    const id = `order-${await store.end()}`
    const target: TerminationTarget =
      kind === 'account' ? { kind, account: store.keys.seal('alice', terminationStream(id)) } : { kind }
    const event = { stream: terminationStream(id), type: 'termination.ordered', data: {} }
    const { position } = await store.append({ events: [event] })
    return newTerminationJob(id, position, { target, reason, actor: 'anna' })
  }

  async function carriedOut(begun: TerminationJob, page?: number): Promise<Tally & { failed: number }> {
    const run = new TerminationRun(terminationParts(host), page)
    let job = begun
    let completed = false
    while (!completed) ({ job, completed } = await run.runNextPage(job))
    return { ...job.tally, failed: job.failed }
  }
})
