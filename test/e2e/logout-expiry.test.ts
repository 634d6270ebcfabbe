import assert from 'node:assert/strict'
import { StoreUnavailableError } from '../../lib/index.ts'
import { ENDINGS } from '../../plugins/back-channel-logout/ending/endings.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Person } from '../support/op.ts'
import { interceptReads } from '../support/reads.ts'

const HOUR = 600
/** How much later the provider still takes what has expired, in seconds: its `clockTolerance`. */
const TOLERANCE = 7

describe('a session that expires', () => {
  let scene: LogoutScene<'rp' | 'other'>
  let clock: FakeClock
  let ttl: number
  let person: Person

  beforeEach(async () => {
    ttl = HOUR
    clock = new FakeClock(Date.now())
    scene = await LogoutScene.start(
      { rp: {}, other: {} },
      { clock, configuration: { clockTolerance: TOLERANCE, ttl: { Session: () => ttl } } },
    )
    person = new Person(scene.op)
    await person.authorize('rp')
  })

  afterEach(() => scene.stop())

  /** Time passes, and whatever was due in it is done. */
  async function passing(seconds: number): Promise<void> {
    await planned()
    await clock.advance(seconds * 1_000)
  }

  /** What has happened is planned: the clock must not run ahead of what waits for it. */
  async function planned(): Promise<void> {
    await scene.open()
  }

  it('ends by itself, and the RP is told', async () => {
    await passing(HOUR + TOLERANCE + 1)
    const [token] = await scene.rps.rp.received(1)
    const { sub, sid } = await scene.rps.rp.verify(String(token), scene.op.issuer)
    const [end] = (await scene.receipt()).ends
    assert.deepEqual([end?.reason, end?.actor, end?.scope], ['session_expired', 'system', 'session'])
    assert.deepEqual([sub, sid], ['alice', end?.relyingParties[0]?.sid])
  })

  it('has not ended while a process of the provider may still take it', async () => {
    await passing(HOUR + TOLERANCE - 5)
    assert.deepEqual(await scene.ended(), [])
    await passing(10)
    await scene.rps.rp.received(1)
  })

  it('leaves the grants of its logins: what outlives it has an expiry of its own', async () => {
    await passing(HOUR + TOLERANCE + 1)
    await scene.receipt()
    const destroyed = (await scene.commitsWith('destroyed')).flatMap(({ events }) => events)
    assert.deepEqual(
      destroyed.filter(({ stream, type }) => type === 'destroyed' && stream.startsWith('Grant:')),
      [],
    )
  })

  it('lives on when it is used meanwhile, until its newest state expires', async () => {
    ttl = 3 * HOUR
    await person.authorize('other')
    await passing(HOUR + TOLERANCE + 1)
    await passing(HOUR)
    assert.deepEqual(await scene.ended(), [])
    await passing(HOUR)
    const [end] = (await scene.receipt()).ends
    assert.deepEqual(
      end?.relyingParties.map(({ clientId }) => clientId),
      ['other', 'rp'],
    )
  })

  it('ends sooner when its expiry moves back', async () => {
    ttl = 60
    await person.authorize('other')
    await passing(60 + TOLERANCE + 1)
    await scene.rps.rp.received(1)
    await scene.rps.other.received(1)
    assert.equal((await scene.receipt()).ends[0]?.reason, 'session_expired')
  })

  it('does not end twice when somebody has ended it', async () => {
    await person.logout()
    await scene.receipt()
    await passing(2 * HOUR)
    await scene.quiet()
    assert.equal((await scene.receipt()).ends.length, 1)
    assert.equal(scene.rps.rp.tokens.length, 1)
    assert.equal(await scene.store.work(ENDINGS).countOpen(), 0, 'nothing is left to look at')
  })

  it('ends after the process was down at the time', async () => {
    await planned()
    await scene.op.eventSourced.stop()
    await clock.advance((HOUR + TOLERANCE + 1) * 1_000)
    assert.deepEqual(await scene.ended(), [])
    await scene.op.eventSourced.start(scene.op.provider as never)
    await scene.rps.rp.received(1)
    assert.equal((await scene.receipt()).ends[0]?.reason, 'session_expired')
  })

  it('lives on when a save is faster than its end', async () => {
    await planned()
    let raced = false
    let cameBack = (): void => {}
    const isBack = new Promise<void>((resolve) => {
      cameBack = resolve
    })
    // When the session was read that is to be ended, the browser comes back.
    interceptReads(scene.store, async (streams, read) => {
      const found = await read()
      if (!raced && streams.some((stream) => stream.startsWith('uid:'))) {
        raced = true
        ttl = 5 * HOUR
        await person.authorize('other')
        cameBack()
      }
      return found
    })
    await clock.advance((HOUR + TOLERANCE + 1) * 1_000)
    await isBack
    await passing(HOUR)
    assert.deepEqual(await scene.ended(), [])
    await passing(4 * HOUR)
    await scene.rps.rp.received(1)
  })

  it('ends though the database was away when that was to be planned', async () => {
    await planned()
    const work = scene.store.work(ENDINGS)
    const add = work.add.bind(work)
    let away = true
    work.add = async (rows) => {
      if (!away) return add(rows)
      away = false
      throw new StoreUnavailableError('away')
    }
    await new Person(scene.op).authorize('other', { login: 'bob' })
    while (away) await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(5_000) // the planner's pause
    await passing(HOUR + TOLERANCE + 1)
    await scene.rps.other.received(1)
  })

  it('ends when it may, though the clock goes back as it is looked at', async () => {
    await planned()
    const work = scene.store.work(ENDINGS)
    const claim = work.claim.bind(work)
    let back = false
    work.claim = async (options) => {
      const claimed = await claim(options)
      if (claimed.length > 0 && !back) {
        back = true
        clock.jumpWall(-30_000)
      }
      return claimed
    }
    await passing(HOUR + TOLERANCE + 1)
    assert.deepEqual([back, await scene.ended()], [true, []])
    await passing(31)
    await scene.rps.rp.received(1)
  })

  it('does not end before its time, though the clock of a machine is ahead', async () => {
    await planned()
    clock.jumpWall(2 * HOUR * 1_000)
    await new Person(scene.op).authorize('other', { login: 'bob' })
    await passing(HOUR - 5)
    assert.deepEqual(await scene.ended(), [])
    await passing(TOLERANCE + 6)
    await scene.rps.rp.received(1)
  })

  it('is still found by who ends all of the account, though the clock of a machine is ahead by weeks', async () => {
    ttl = 10 * 24 * 3_600
    const other = new Person(scene.op)
    await other.authorize('other')
    await planned()
    clock.jumpWall(30 * 24 * 3_600_000)
    await passing(3_600) // the index of what lives is swept once an hour
    await new Person(scene.op).authorize('other', { login: 'bob' })
    await planned()
    const { sessions } = await scene.logout.terminateAccount('alice', { actor: 'anna' })
    assert.equal(sessions, 1)
  })

  it('has its grants revoked by who disables the account, though the clock of a machine is ahead by weeks', async () => {
    const grants = async (): Promise<unknown[]> =>
      (await scene.log()).flatMap(({ events }) =>
        events.filter(({ stream, type }) => stream.startsWith('Grant:') && type === 'destroyed'),
      )
    await person.logout() // the grant of offline access outlives that
    await planned()
    const before = (await grants()).length
    await person.authorize('rp', { scope: 'openid offline_access', prompt: 'consent' })
    await person.logout()
    await planned()
    clock.jumpWall(30 * 24 * 3_600_000)
    const options = { actor: 'anna', reason: 'account_disabled' } as const
    const preview = await scene.logout.terminateAccount('alice', { ...options, dryRun: true })
    const report = await scene.logout.terminateAccount('alice', options)
    assert.deepEqual([preview.grants, report.grants], [1, 1])
    assert.equal((await grants()).length, before + 1)
  })

  it('is listed while it lives, though the clock of a machine is ahead by weeks', async () => {
    clock.jumpWall(30 * 24 * 3_600_000)
    const uids: string[] = []
    for await (const { uid } of scene.logout.sessions({ account: 'alice' })) uids.push(uid)
    assert.equal(uids.length, 1)
  })

  it('of nobody that an RP knows ends without a word', async () => {
    await person.logout()
    await scene.receipt()
    await new Person(scene.op).agent.get(person.authorizationUrl('rp'))
    await passing(2 * HOUR)
    assert.equal((await scene.ended()).length, 1)
  })
})
