import assert from 'node:assert/strict'
import { StoreUnavailableError } from '../../lib/index.ts'
import { KeptLog } from '../support/kept-log.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Client, Person, testClient } from '../support/op.ts'

describe('a session with a client that cannot be loaded any more', () => {
  let scene: LogoutScene<'rp-one' | 'rp-two'>
  let log: KeptLog
  let person: Person

  beforeEach(async () => {
    log = new KeptLog()
    scene = await LogoutScene.start({ 'rp-one': {}, 'rp-two': {} }, { logger: log })
    const clients = scene.op.eventSourced.adapter('Client')
    const metadata = { ...testClient('broken'), backchannel_logout_uri: 'http://127.0.0.1:8/logout' }
    await clients.upsert('broken', metadata)
    person = new Person(scene.op)
    await person.authorize('rp-one')
    await person.authorize('broken')
    await person.authorize('rp-two')
    await clients.upsert('broken', { ...metadata, response_types: 'nonsense' })
  })

  afterEach(() => scene.stop())

  it('can be logged out of: the others are told, and the log says what is wrong', async () => {
    const answer = await person.logout()
    assert.equal(answer.status, 303)
    await scene.rps['rp-one'].received(1)
    await scene.rps['rp-two'].received(1)
    assert.equal(person.agent.cookie('_session'), undefined)
    const [line] = log.of(/a client cannot be loaded/)
    assert.equal(line?.level, 'warn')
    assert.equal(line?.fields['client_id'], 'broken')
  })

  it('owes the broken client its token, which is tried until the client is mended', async () => {
    await person.logout()
    const [uid = ''] = await scene.ended()
    for (;;) {
      const { ends } = await scene.logout.receipt(uid)
      const entry = ends[0]?.relyingParties.find(({ clientId }) => clientId === 'broken')
      if (entry && entry.attempts > 0) {
        assert.equal(entry.state, 'pending')
        assert.match(String(entry.failureReason), /invalid_client_metadata/)
        return
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
  })

  it('still refuses the client itself', async () => {
    const answer = await person.agent.get(person.authorizationUrl('broken'))
    assert.equal(answer.status, 400)
  })

  it('is not logged out of by half while the store is away', async () => {
    const page = await person.endSession()
    const cookie = person.agent.cookie('_session')
    const { readStreams } = scene.store
    const clients = scene.store.keys.streams('Client', 'broken')
    scene.store.readStreams = (streams, options) => {
      if (clients.some((client) => streams.includes(client))) throw new StoreUnavailableError('away')
      return readStreams.call(scene.store, streams, options)
    }
    const answer = await person.confirm(page)
    scene.store.readStreams = readStreams
    assert.equal(answer.status, 503)
    assert.equal(person.agent.cookie('_session'), cookie)
    assert.deepEqual(await scene.ended(), [])
  })
})

describe('a client that registers itself', () => {
  let scene: LogoutScene<never>

  before(async () => {
    scene = await LogoutScene.start({}, { configuration: { features: { registration: { enabled: true } } } })
  })

  after(() => scene.stop())

  async function register(metadata: object): Promise<{ status: number; body: Record<string, unknown> }> {
    const response = await fetch(`${scene.op.issuer}/reg`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['https://rp.example.com/cb'], ...metadata }),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  for (const uri of ['/relative', 'https://rp.example.com/logout#fragment', 'http://rp.example.com/logout', 42]) {
    it(`is refused with the back-channel logout URI ${uri}`, async () => {
      const { status, body } = await register({ backchannel_logout_uri: uri })
      assert.equal(status, 400)
      assert.equal(body['error'], 'invalid_client_metadata')
      assert.match(String(body['error_description']), /backchannel_logout_uri/)
    })
  }

  it('is refused with reasons that do not exist', async () => {
    const { status, body } = await register({ backchannel_logout_initiators: ['boredom'] })
    assert.equal(status, 400)
    assert.equal(body['error'], 'invalid_client_metadata')
  })

  it('is refused with a wish to be spared superseded logouts that is neither yes nor no', async () => {
    const { status, body } = await register({ backchannel_logout_skip_superseded: 'yes' })
    assert.equal(status, 400)
    assert.equal(body['error'], 'invalid_client_metadata')
    assert.match(String(body['error_description']), /backchannel_logout_skip_superseded must be true or false/)
  })

  it('keeps what it may say, and is given sids by default', async () => {
    const uri = 'https://rp.example.com/logout'
    const { status, body } = await register({
      backchannel_logout_uri: uri,
      backchannel_logout_initiators: ['admin'],
      backchannel_logout_skip_superseded: true,
    })
    assert.equal(status, 201)
    assert.equal(body['backchannel_logout_uri'], uri)
    assert.equal(body['backchannel_logout_session_required'], true)
    assert.deepEqual(body['backchannel_logout_initiators'], ['admin'])
    assert.equal(body['backchannel_logout_skip_superseded'], true)
  })

  it('cannot spare itself what operators end, and may what the user ends', async () => {
    const { body } = await register({
      backchannel_logout_uri: 'https://rp.example.com/logout',
      backchannel_logout_initiators: [],
    })
    for (const login of ['ann', 'bob']) await new Person(scene.op).authorize(String(body['client_id']), { login })
    const bob = new Person(scene.op)
    await bob.authorize(String(body['client_id']), { login: 'bob' })
    await bob.logout()
    await scene.logout.terminateAccount('ann', { actor: 'ops', reason: 'account_disabled' })
    const told: [string, number][] = []
    for await (const { ends } of scene.logout.history())
      for (const { reason, relyingParties } of ends) told.push([reason, relyingParties.length])
    assert.deepEqual(told.slice(-2), [
      ['rp_initiated', 0],
      ['account_disabled', 1],
    ])
  })

  it("cannot allow itself to be inside the operators' network", async () => {
    const inside = { allowInternal: true, allow_internal: true, inside: true }
    const { status, body } = await register({ ...inside, backchannel_logout_uri: 'https://127.0.0.1/logout' })
    assert.equal(status, 201)
    for (const member of Object.keys(inside)) assert.ok(!(member in body), member)
    const person = new Person(scene.op)
    await person.authorize(String(body['client_id']))
    await person.logout()
    const uid = (await scene.ended()).at(-1) ?? ''
    for (;;) {
      const why = (await scene.logout.receipt(uid)).ends[0]?.relyingParties[0]?.failureReason
      if (why !== undefined) return assert.match(why, /SPECIAL_USE_ADDRESS/)
      await new Promise((resolve) => setImmediate(resolve))
    }
  })
})

describe('a client whose stored URI is not usable', () => {
  it('can log in, is told nothing, and is warned about once', async () => {
    const log = new KeptLog()
    const scene = await LogoutScene.start({}, { logger: log })
    try {
      const uri = 'http://rp.example.com/logout#fragment'
      await scene.op.eventSourced
        .adapter('Client')
        .upsert('stored', { ...testClient('stored'), backchannel_logout_uri: uri })
      const person = new Person(scene.op)
      assert.ok((await person.authorize('stored')).has('code'))
      assert.ok((await person.authorize('stored')).has('code'))
      const warnings = log.of(/not told of logouts: its backchannel_logout_uri must not have a fragment/)
      assert.deepEqual(
        warnings.map(({ level, fields }) => [level, fields['client_id']]),
        [['warn', 'stored']],
      )
      await person.logout()
      assert.equal(await scene.open(), 0)
      assert.deepEqual((await scene.receipt()).ends[0]?.relyingParties, [])
    } finally {
      await scene.stop()
    }
  })
})

describe('a client whose stored metadata has become unusable', () => {
  const metadata = {
    ...testClient('own'),
    grant_types: ['authorization_code', 'refresh_token'],
    backchannel_logout_uri: 'http://127.0.0.1:8/logout',
  }
  for (const [what, stored] of [
    ['has half a surrogate pair in its URI', { ...metadata, backchannel_logout_uri: 'https://rp.example.com/\ud800' }],
    ['cannot be loaded', { ...metadata, response_types: 'nonsense' }],
    ['was deleted', undefined],
  ] as const) {
    it(`keeps no grant beyond the end of its account, where it ${what}`, async () => {
      const scene = await LogoutScene.start({}, { logger: new KeptLog() })
      try {
        const clients = scene.op.eventSourced.adapter('Client')
        await clients.upsert('own', metadata)
        const person = new Person(scene.op)
        const code = await person.authorize('own', { scope: 'openid offline_access', prompt: 'consent' })
        const client = new Client(scene.op, metadata)
        const { body } = await client.exchange(String(code.get('code')))
        await person.logout()
        if (stored) await clients.upsert('own', stored)
        else await clients.destroy('own')
        const options = { actor: 'anna', reason: 'password_changed' } as const
        const { grants, failed } = await scene.logout.terminateAccount('alice', options)
        assert.deepEqual({ grants, failed }, { grants: 1, failed: 0 })
        await clients.upsert('own', metadata)
        assert.equal((await client.refresh(String(body['refresh_token']))).body['error'], 'invalid_grant')
      } finally {
        await scene.stop()
      }
    })
  }
})
