import assert from 'node:assert/strict'
import { REASONS, type Reason } from '../../plugins/back-channel-logout/reasons.ts'
import { accountStreams } from '../../plugins/back-channel-logout/recording/index-streams.ts'
import {
  type Registered,
  sessionLogoutStream,
  type Terminated,
  toEvent,
} from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { DispatchScene, OP, says } from '../support/dispatch-scene.ts'
import { countReads, interceptReads } from '../support/reads.ts'
import { registered, terminated } from '../support/session-log.ts'

const ALWAYS_TOLD: readonly Reason[] = [
  'admin',
  'account_disabled',
  'account_deleted',
  'password_changed',
  'signed_out_everywhere',
]

describe('the dispatcher, with a logout token without a sid and a newer login of the user', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
    scene.client('rp')
    optIn('rp', true)
  })

  afterEach(() => scene.stop())

  it('sends nothing where the client does not want it, and settles the delivery as superseded', async () => {
    await login('old')
    await end('old')
    await login('new')
    await send()
    assert.deepEqual(scene.posts, [])
    const [entry] = (await scene.receipt('old')).ends[0]?.relyingParties ?? []
    assert.deepEqual([entry?.state, entry?.failureReason, entry?.attempts], ['superseded', 'newer_login', 0])
    assert.equal(await scene.open(), 0)
    const [commit, ...more] = await scene.commits('superseded')
    assert.deepEqual(more, [])
    assert.deepEqual(commit?.events[0]?.data, {
      delivery: entry?.delivery,
      client_id: 'rp',
      attempts: 0,
      superseded_by: 'newer_login',
    })
    assert.equal(scene.log.of(/the user has logged in there again/).length, 1)
  })

  it('looks before each attempt', async () => {
    scene.behave('rp', () => says(503))
    await login('old')
    await end('old')
    await send({ retryDelaysMs: [5_000, 30_000] })
    await scene.clock.advance(4_000)
    assert.equal(scene.posts.length, 1)
    await login('new')
    await scene.clock.advance(60_000)
    assert.equal(scene.posts.length, 1)
    const { state, attempts } = await scene.entry('old')
    assert.deepEqual([state, attempts], ['superseded', 1])
  })

  for (const reason of REASONS) {
    const told = ALWAYS_TOLD.includes(reason)
    it(`${told ? 'sends it all the same' : 'spares the RP'} after the end by ${reason}`, async () => {
      await login('old')
      await end('old', { reason })
      await login('new')
      await send()
      assert.equal((await scene.entry('old')).state, told ? 'confirmed' : 'superseded')
      assert.equal(scene.posts.length, told ? 1 : 0)
    })
  }

  const SENT: Readonly<Record<string, () => Promise<void>>> = {
    'the client did not ask to be spared': async () => {
      optIn('rp', undefined)
      await login('old')
      await end('old')
      await login('new')
    },
    'the client says no': async () => {
      optIn('rp', false)
      await login('old')
      await end('old')
      await login('new')
    },
    'the stored wish of the client is neither true nor false': async () => {
      optIn('rp', 'yes')
      await login('old')
      await end('old')
      await login('new')
    },
    'the token carries the sid': async () => {
      await login('old', { session_required: true })
      await end('old')
      await login('new')
    },
    'the other login is older': async () => {
      await login('new')
      await login('old')
      await end('old')
    },
    'the older login is only registered again, with its sid': async () => {
      await login('new')
      await login('old')
      await end('old')
      await login('new', { session_required: true })
    },
    'the newer login has ended': async () => {
      await login('old')
      await end('old')
      await login('new')
      await end('new', { scope: ['sid of new'] }, false)
    },
    'the newer login has ended in the commit in which it began': async () => {
      await login('old')
      await end('old')
      const also = accountStreams(scene.store.keys, 'alice')
      const user_id = scene.store.keys.seal('alice', sessionLogoutStream('new'))
      const facts = [registered('rp', 'sid of new', { user_id, session_required: false }), terminated('session')]
      const events = facts.map((fact) => toEvent('new', fact, also))
      await scene.store.append({ events, meta: { instance: OP } })
    },
    'the newer login is at another client': async () => {
      await login('old')
      await end('old')
      await login('new', { client_id: 'other' })
    },
    'the newer login is of another account': async () => {
      await login('old')
      await end('old')
      await login('new', {}, { account: 'bob' })
    },
    "the newer login is at another OP's client of the same id": async () => {
      await login('old')
      await end('old')
      await login('new', {}, { issuer: 'https://other.example.com' })
    },
  }
  for (const [when, happens] of Object.entries(SENT)) {
    it(`sends it when ${when}`, async () => {
      await happens()
      await send()
      assert.equal((await scene.entry('old')).state, 'confirmed')
      assert.equal(scene.posts.length, 1)
    })
  }

  it('finds a login that is newer in the same session', async () => {
    await login('old')
    await end('old', { scope: ['sid of old'] })
    await login('old', { oidc_session_id: 'another sid' })
    await send()
    assert.equal((await scene.entry('old')).state, 'superseded')
  })

  it('finds one that lives in a session of which another login has ended', async () => {
    await login('old')
    await end('old')
    await login('new')
    await login('new', { client_id: 'other', oidc_session_id: 'another sid' })
    await end('new', { scope: ['another sid'] }, false)
    await send()
    assert.equal((await scene.entry('old')).state, 'superseded')
  })

  it('finds it behind others at the client that began before: one that was registered again, one that has ended', async () => {
    await login('again')
    await login('old')
    await end('old')
    await login('new')
    await login('ended')
    await end('ended', { scope: ['sid of ended'] }, false)
    await login('again', { session_required: true })
    await send()
    assert.equal((await scene.entry('old')).state, 'superseded')
  })

  it('finds the one that lives among many that have ended, and reads a page at a time', async () => {
    await login('old')
    await end('old')
    await login('alive')
    for (let n = 0; n < 250; n++) {
      await login(`n${n}`)
      await end(`n${n}`, {}, false)
    }
    const pages = pagesRead()
    await send()
    assert.equal((await scene.entry('old')).state, 'superseded')
    assert.deepEqual(pages(), [100, 100, 100, 100, 100, 3])
  })

  it('reads no further back than the end of the session', async () => {
    for (let n = 0; n < 250; n++) await login(`n${n}`)
    await login('old')
    await end('old')
    await login('elsewhere', { client_id: 'other' })
    const pages = pagesRead()
    await send()
    assert.equal((await scene.entry('old')).state, 'confirmed')
    assert.deepEqual(pages(), [100])
  })

  it('looks at the last thousand facts of the account, and sends it where it has not found a newer login among them', async () => {
    await login('old')
    await end('old')
    await login('alive')
    for (let n = 0; n < 1_200; n++) await login(`n${n}`, { client_id: 'other' })
    const pages = pagesRead()
    await send()
    assert.equal((await scene.entry('old')).state, 'confirmed')
    assert.deepEqual(pages(), Array(10).fill(100))
  })

  it('looks through the last thousand facts of a session for when a login began, and sends it where that is further back', async () => {
    await login('new')
    await login('old')
    for (let n = 0; n < 1_200; n++) await login('new', { client_id: 'other', oidc_session_id: `sid ${n}` })
    await end('old')
    await login('new', { session_required: true })
    const pages = countReads(scene.store, (streams) => streams.includes(sessionLogoutStream('new')))
    await send()
    assert.equal((await scene.entry('old')).state, 'confirmed')
    assert.deepEqual(
      pages.map(({ length }) => length),
      Array(10).fill(100),
    )
  })

  it('looks before a token with a sid too, where the client says that it goes by the sub', async () => {
    goBySub('rp', true)
    await login('old', { session_required: true })
    await end('old')
    await login('new', { session_required: true })
    await send()
    assert.equal((await scene.entry('old')).state, 'superseded')
  })

  for (const [when, wish, sidOnly] of [
    ['it says that it does not go by the sub', false, false],
    ['what it says is neither true nor false', 'yes', false],
    ['its tokens have no sub', true, true],
  ] as const) {
    it(`sends a token with a sid when ${when}`, async () => {
      goBySub('rp', wish)
      await login('old', { session_required: true })
      await end('old')
      await login('new', { session_required: true })
      await send({ clients: { rp: { sidOnly } } })
      assert.equal((await scene.entry('old')).state, 'confirmed')
    })
  }

  it('sends one that goes by the sub what is about the account all the same', async () => {
    goBySub('rp', true)
    await login('old', { session_required: true })
    await end('old', { reason: 'password_changed' })
    await login('new', { session_required: true })
    await send()
    assert.equal((await scene.entry('old')).state, 'confirmed')
  })

  it('reads nothing of the account where the client did not ask to be spared, or the token carries the sid', async () => {
    scene.client('usual')
    await login('one', { client_id: 'usual' })
    await login('two', { session_required: true })
    await end('one')
    await end('two')
    const reads = countReads(scene.store)
    await send()
    assert.equal(scene.posts.length, 2)
    assert.deepEqual(reads, [])
  })

  it('tries again later when the log cannot be read', async () => {
    await login('old')
    await end('old')
    await login('elsewhere', { client_id: 'other' })
    const restore = interceptReads(scene.store, () => Promise.reject(new Error('away')))
    await send()
    restore()
    assert.deepEqual(scene.posts, [])
    assert.equal((await scene.entry('old')).state, 'pending')
    await scene.clock.advance(5_000)
    assert.equal((await scene.entry('old')).state, 'confirmed')
  })

  /** How long each page is that is read of an account, from now on. */
  function pagesRead(): () => number[] {
    const readings = countReads(
      scene.store,
      (streams) => !streams.some((stream) => stream.startsWith('session_logout:')),
    )
    return () => readings.map(({ length }) => length)
  }

  function goBySub(clientId: string, wish: unknown): void {
    const client = scene.clients.get(clientId)
    if (client) scene.clients.set(clientId, { ...client, backchannel_logout_goes_by_sub: wish })
  }

  function optIn(clientId: string, wish: unknown): void {
    const client = scene.clients.get(clientId)
    if (client) scene.clients.set(clientId, { ...client, backchannel_logout_skip_superseded: wish })
  }

  /** A login at the client, as the observer registers it; one without a sid in its ID tokens unless more is said. */
  async function login(
    uid: string,
    more: Partial<Registered> = {},
    { account = 'alice', issuer = OP }: { readonly account?: string; readonly issuer?: string } = {},
  ): Promise<void> {
    const user_id = scene.store.keys.seal(account, sessionLogoutStream(uid))
    const event = registered('rp', `sid of ${uid}`, { user_id, session_required: false, ...more })
    const also = accountStreams(scene.store.keys, account)
    await scene.store.append({ events: [toEvent(uid, event, also)], meta: { instance: issuer } })
  }

  async function end(uid: string, more: Partial<Terminated> = {}, planned = true): Promise<void> {
    const after = await scene.store.end()
    const event = terminated('session', { triggered_at_origin: OP, ...more })
    const also = accountStreams(scene.store.keys, 'alice')
    await scene.store.append({ events: [toEvent(uid, event, also)], meta: { instance: OP } })
    if (planned) await scene.plan(after)
  }

  async function send(wishes: Parameters<DispatchScene['dispatcher']>[0] = {}): Promise<void> {
    await scene.dispatcher(wishes)
    await scene.clock.advance(0)
  }
})
