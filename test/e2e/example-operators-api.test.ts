import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import Koa from 'koa'
import { type OperatorsOptions, operatorsRoutes } from '../../example/operators/api/operators-routes.ts'
import type { Receipt } from '../../plugins/back-channel-logout/index.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { listen, Person } from '../support/op.ts'

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

const ROUTES = [
  ['GET', '/operator'],
  ['GET', '/sessions?account=alice'],
  ['GET', '/logouts'],
  ['GET', '/dead-letters'],
  ['GET', '/terminations'],
  ['GET', '/features'],
  ['GET', '/health'],
  ['GET', '/changes'],
  ['POST', '/terminations', { all: true }],
  ['POST', '/replays', { since: 0 }],
  ['PUT', '/features', { feature: 'back_channel_logout', level: 'instance', enabled: false }],
  ['DELETE', '/features', { feature: 'back_channel_logout', level: 'instance' }],
] as const

const SCRIPT = '<script>alert(1)</script>'

describe('the operators’ API', () => {
  let scene: LogoutScene<'one' | 'two'>
  let server: Server
  let origin: string
  let authorize: OperatorsOptions['authorize']
  let unforeseen: unknown[]

  beforeEach(async () => {
    // One attempt more, at once, so that an RP that fails makes a dead letter.
    scene = await LogoutScene.start({ one: {}, two: {} }, { logout: { delivery: { retryDelaysMs: [1], jitter: 0 } } })
    unforeseen = []
    authorize = (ctx) => (ctx.cookies.get('operator') === 'yes' ? 'anna' : undefined)
    server = createServer()
    origin = `http://127.0.0.1:${await listen(server, 0)}`
    serve({ logout: scene.logout, features: scene.op.eventSourced.features })
  })

  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await scene.stop()
  })

  function serve(asked: Pick<OperatorsOptions, 'logout' | 'features' | 'patienceMs'>): void {
    const app = new Koa()
    app.use(
      operatorsRoutes({
        ...asked,
        authorize: (ctx) => authorize(ctx),
        origin,
        follow: (ctx) => {
          ctx.body = 'a stream'
        },
        unforeseen: (error) => unforeseen.push(error),
      }),
    )
    server.removeAllListeners('request').on('request', app.callback())
  }

  /** As the page asks: of its own origin, JSON, with the operator's cookie. */
  async function ask(
    method: string,
    path: string,
    body?: object | string,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const response = await fetch(`${origin}/operators/api${path}`, {
      method,
      headers: {
        cookie: 'operator=yes',
        origin,
        'sec-fetch-site': 'same-origin',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json')
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : { text } }
  }

  /** The body of an answer that is no error. */
  async function asked(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const answer = await ask(method, path, body)
    assert.equal(answer.status, 200, JSON.stringify(answer.body))
    return answer.body
  }

  function refusal({ status, body }: Answer): readonly [number, unknown] {
    return [status, (body['error'] as { readonly code?: unknown } | undefined)?.code]
  }

  async function loggedIn(login: string, ...rps: ('one' | 'two')[]): Promise<Person> {
    const person = new Person(scene.op)
    for (const rp of rps) await person.authorize(rp, { login })
    return person
  }

  async function uidsOf(account: string): Promise<string[]> {
    const { sessions } = (await asked('GET', `/sessions?account=${account}`)) as { sessions: { uid: string }[] }
    return sessions.map(({ uid }) => uid)
  }

  it('tells how it is', async () => {
    const { health } = (await asked('GET', '/health')) as { health: Record<string, unknown> }
    assert.equal(health['isWell'], true)
    assert.deepEqual(health['store'], { isReachable: true })
    assert.deepEqual(refusal(await ask('GET', '/health?deep=1')), [400, 'FIELD_INVALID'])
  })

  describe('is closed', () => {
    it('without `authorize`', () => {
      const { logout } = scene
      const { features } = scene.op.eventSourced
      const options = { logout, features, origin, follow: () => {}, unforeseen: () => {} }
      assert.throws(() => operatorsRoutes(options as never), /needs `authorize`/)
    })

    it('to whom the application does not name as an operator, asked at each request', async () => {
      await loggedIn('alice', 'one')
      for (const [method, path, body] of ROUTES) {
        assert.deepEqual(refusal(await ask(method, path, body, { cookie: '' })), [401, 'NOT_SIGNED_IN'], path)
        assert.deepEqual(
          refusal(await ask(method, path, body, { cookie: 'operator=no' })),
          [401, 'NOT_SIGNED_IN'],
          path,
        )
      }
      authorize = () => ''
      assert.deepEqual(refusal(await ask('GET', '/operator')), [401, 'NOT_SIGNED_IN'])
      authorize = async () => 'ben'
      assert.deepEqual(await asked('GET', '/operator'), { operator: 'ben' })
      assert.equal((await uidsOf('alice')).length, 1)
      assert.equal(scene.op.eventSourced.features.isOn('back_channel_logout'), true)
    })

    it('to pages of other origins, those of the same host and of no origin among them', async () => {
      await loggedIn('alice', 'one')
      const others = [
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { 'sec-fetch-site': 'none' },
        { origin: 'https://evil.example.com' },
        { origin: 'null' },
        { origin: origin.replace('127.0.0.1', 'localhost') },
        { origin: 'https://evil.example.com', 'sec-fetch-site': '' },
      ]
      for (const headers of others) {
        for (const [method, path, body] of ROUTES) {
          const answer = await ask(method, path, body, headers)
          assert.deepEqual(refusal(answer), [403, 'CROSS_ORIGIN'], `${method} ${path} ${JSON.stringify(headers)}`)
        }
        const preflight = await ask('OPTIONS', '/terminations', undefined, {
          ...headers,
          'access-control-request-method': 'POST',
        })
        assert.equal(preflight.status, 403)
        assert.deepEqual(
          [...preflight.headers.keys()].filter((name) => name.startsWith('access-control')),
          [],
        )
      }
      assert.equal((await uidsOf('alice')).length, 1)
    })

    it('for changes by whoever does not say where the request is from', async () => {
      const nowhere = { origin: '', 'sec-fetch-site': '' }
      assert.equal((await ask('GET', '/operator', undefined, nowhere)).status, 200)
      assert.deepEqual(refusal(await ask('POST', '/terminations', { all: true }, nowhere)), [403, 'CROSS_ORIGIN'])
      const old = { 'sec-fetch-site': '' } // a browser of before Fetch Metadata
      assert.equal((await ask('POST', '/terminations', { all: true, dryRun: true }, old)).status, 200)
    })

    it('to what is no JSON', async () => {
      await loggedIn('alice', 'one')
      const all = JSON.stringify({ all: true })
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', '', 'json']) {
        const answer = await ask('POST', '/terminations', all, { 'content-type': type })
        assert.deepEqual(refusal(answer), [415, 'NOT_JSON'], type)
      }
      for (const body of ['', '{', '[]', 'null', '"all"']) {
        assert.deepEqual(refusal(await ask('POST', '/terminations', body)), [400, 'JSON_INVALID'], body)
      }
      const large = JSON.stringify({ account: 'x'.repeat(20_000) })
      assert.deepEqual(refusal(await ask('POST', '/terminations', large)), [413, 'BODY_TOO_LARGE'])
      assert.equal((await uidsOf('alice')).length, 1)
      const utf8 = { 'content-type': 'application/json; charset=utf-8' }
      assert.equal((await ask('POST', '/terminations', all, utf8)).status, 200)
      assert.deepEqual(await uidsOf('alice'), [])
    })
  })

  it('answers with headers that let nobody keep, frame, or take it for something else', async () => {
    for (const answer of [
      await ask('GET', '/operator'),
      await ask('GET', '/nowhere'),
      await ask('PATCH', '/features'),
    ]) {
      const { headers } = answer
      assert.equal(headers.get('cache-control'), 'no-store')
      assert.equal(headers.get('content-security-policy'), "default-src 'none'; frame-ancestors 'none'")
      assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin')
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
      assert.equal(headers.get('content-type'), 'application/json; charset=utf-8')
    }
  })

  it('says what there is not, and which methods there are', async () => {
    for (const path of ['', '/', '/nowhere', '/constructor', '/features/x']) {
      assert.deepEqual(refusal(await ask('GET', path)), [404, 'NOT_FOUND'], path)
    }
    const answer = await ask('POST', '/features', {})
    assert.deepEqual(refusal(answer), [405, 'METHOD_NOT_ALLOWED'])
    assert.equal(answer.headers.get('allow'), 'GET, PUT, DELETE')
    assert.deepEqual(refusal(await ask('POST', '/changes', {})), [405, 'METHOD_NOT_ALLOWED'])
    assert.deepEqual(await asked('GET', '/changes'), { text: 'a stream' })
  })

  it('refuses what cannot be meant, and changes nothing', async () => {
    await loggedIn('alice', 'one')
    const gate = { feature: 'back_channel_logout', level: 'instance' }
    const invalid = [
      ['GET', '/sessions'],
      ['GET', '/sessions?account='],
      ['GET', '/sessions?account=alice&limit=0'],
      ['GET', '/sessions?account=alice&limit=201'],
      ['GET', '/sessions?account=alice&limit=many'],
      ['GET', '/sessions?acount=alice'],
      ['GET', `/sessions?account=${'a'.repeat(1_001)}`],
      ['GET', '/logouts?state=lost'],
      ['GET', '/dead-letters?since=-1'],
      ['GET', '/dead-letters?since=yesterday'],
      ['GET', '/terminations?client=one'],
      ['GET', '/features?feature=x'],
      ['POST', '/terminations', {}],
      ['POST', '/terminations', { all: true, account: 'alice' }],
      ['POST', '/terminations', { all: false }],
      ['POST', '/terminations', { all: 'true' }],
      ['POST', '/terminations', { account: 1 }],
      ['POST', '/terminations', { account: '' }],
      ['POST', '/terminations', { account: 'alice', dryrun: true }],
      ['POST', '/terminations', { account: 'alice', dryRun: 'yes' }],
      ['POST', '/terminations', { account: 'alice', reason: 'rp_initiated' }],
      ['POST', '/terminations', { account: 'alice', actor: 'ben' }],
      ['POST', '/terminations', { session: 'x', reason: 'admin' }],
      ['POST', '/terminations', { client: 'one', reason: 'admin' }],
      ['POST', '/replays', { delivery: '1/0.0' }],
      ['POST', '/replays', { delivery: '1/0.0', sessionUid: 'x', since: 0 }],
      ['POST', '/replays', { since: 1.5 }],
      ['PUT', '/features', gate],
      ['PUT', '/features', { ...gate, enabled: 'no' }],
      ['PUT', '/features', { ...gate, level: 'planet', enabled: false }],
      ['PUT', '/features', { ...gate, feature: 'everything', enabled: false }],
      ['DELETE', '/features', { ...gate, enabled: false }],
    ] as const
    for (const [method, path, body] of invalid) {
      const answer = await ask(method, path, body)
      assert.deepEqual(refusal(answer), [400, 'FIELD_INVALID'], `${method} ${path} ${JSON.stringify(body)}`)
    }
    assert.deepEqual(refusal(await ask('POST', '/replays', {})), [400, 'OPTION_INVALID'])
    assert.equal((await uidsOf('alice')).length, 1)
    assert.deepEqual(unforeseen, [])
  })

  it('tells the sessions of an account, and ends one after saying what would end', async () => {
    const alice = await loggedIn('alice', 'one', 'two')
    await loggedIn('alice', 'one')
    const { sessions, more } = (await asked('GET', '/sessions?account=alice&limit=1')) as {
      sessions: { uid: string }[]
      more: boolean
    }
    assert.deepEqual([sessions.length, more], [1, true])
    const session = await scene.op.provider.Session.find(String(alice.agent.cookie('_session')))
    const target = { session: session?.uid }
    const report = { sessions: 1, logins: 2, grants: 2, failed: 0 }
    assert.deepEqual(await asked('POST', '/terminations', { ...target, dryRun: true }), { state: 'dry_run', ...report })
    assert.equal((await uidsOf('alice')).length, 2)
    assert.deepEqual(await asked('POST', '/terminations', target), { state: 'completed', ...report })
    assert.equal((await uidsOf('alice')).length, 1)
    const [end] = (await scene.receiptOf(String(session?.uid))).ends
    assert.deepEqual([end?.reason, end?.actor], ['admin', 'anna'])
  })

  it('ends all sessions of an account for a reason, the logins at a client, and everybody’s, and tells how they stand', async () => {
    await loggedIn('alice', 'one')
    await loggedIn('alice', 'two')
    await loggedIn('bob', 'two')
    const orders = [
      [
        { account: 'alice', reason: 'account_disabled' },
        { sessions: 2, logins: 2, grants: 2, failed: 0 },
      ],
      [{ client: 'two' }, { sessions: 1, logins: 1, grants: 1, failed: 0 }],
      [
        { all: true, reason: 'signed_out_everywhere' },
        { sessions: 1, logins: 0, grants: 0, failed: 0 },
      ],
    ] as const
    for (const [order, report] of orders) {
      assert.deepEqual(await asked('POST', '/terminations', { ...order, dryRun: true }), {
        state: 'dry_run',
        ...report,
      })
      const { id, ...done } = await asked('POST', '/terminations', order)
      assert.equal(typeof id, 'string')
      assert.deepEqual(done, { state: 'completed', ...report })
    }
    const { terminations } = (await asked('GET', '/terminations')) as { terminations: Record<string, unknown>[] }
    assert.deepEqual(
      terminations.map(({ of, accountId, clientId, reason, actor, state }) => [
        of,
        accountId,
        clientId,
        reason,
        actor,
        state,
      ]),
      [
        ['all', undefined, undefined, 'signed_out_everywhere', 'anna', 'completed'],
        ['client', undefined, 'two', 'admin', 'anna', 'completed'],
        ['account', 'alice', undefined, 'account_disabled', 'anna', 'completed'],
      ],
    )
  })

  it('does not wait for long until very many sessions have ended', async () => {
    const { logout } = scene
    const slow = {
      terminateAccount: (_account: string, { signal }: { readonly signal: AbortSignal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    }
    const { features } = scene.op.eventSourced
    serve({ logout: Object.assign(Object.create(logout), slow), features, patienceMs: 1 })
    const answer = await ask('POST', '/terminations', { account: 'alice' })
    assert.deepEqual([answer.status, answer.body], [202, { state: 'running' }])
  })

  it('tells the logouts by account, client and state, with what the RPs answered, as it is', async () => {
    scene.rps.two.behave((_token, response) => void response.writeHead(410).end(SCRIPT))
    await (await loggedIn('alice', 'one', 'two')).logout()
    await (await loggedIn('bob', 'one')).logout()
    await scene.quiet()
    const found = async (query: string): Promise<string[][]> => {
      const { logouts } = (await asked('GET', `/logouts${query}`)) as {
        logouts: { ends: { relyingParties: { clientId: string; state: string }[] }[] }[]
      }
      return logouts.map(({ ends }) =>
        ends.flatMap(({ relyingParties }) => relyingParties.map(({ clientId, state }) => `${clientId} ${state}`)),
      )
    }
    const [alice, bob] = [['one confirmed', 'two rejected'], ['one confirmed']]
    assert.deepEqual(await found(''), [bob, alice])
    assert.deepEqual(await found('?account=alice'), [alice])
    assert.deepEqual(await found('?client=two'), [['two rejected']])
    assert.deepEqual(await found('?state=rejected'), [alice])
    assert.deepEqual(await found('?state=pending'), [])
    assert.deepEqual(await found('?state=confirmed&limit=1&account='), [bob])
    const { deadLetters } = (await asked('GET', '/dead-letters')) as { deadLetters: { answer: string }[] }
    assert.equal(deadLetters[0]?.answer, SCRIPT)
  })

  it('tells the logout of an RP that is pending, however many newer ones were confirmed', async () => {
    scene.rps.two.behave(() => new Promise(() => {}))
    await (await loggedIn('alice', 'one', 'two')).logout()
    await scene.rps.two.received(1)
    const history = scene.logout.history.bind(scene.logout)
    let looked = 0
    Object.assign(scene.logout, {
      async *history(...args: Parameters<typeof history>) {
        looked += 1
        yield* history(...args)
      },
    })
    for (const query of ['?state=pending', '?state=pending&client=two']) {
      const { logouts } = (await asked('GET', `/logouts${query}`)) as { logouts: Receipt[] }
      assert.deepEqual(
        logouts.map(({ ends }) => ends[0]?.relyingParties.map(({ clientId }) => clientId)),
        [['one', 'two']],
      )
    }
    assert.deepEqual((await asked('GET', '/logouts?state=pending&client=one')) as object, { logouts: [], more: false })
    assert.equal(looked, 0, 'the newest logouts are not searched for them')
  })

  it('replays a dead letter, those of a client, all since a time; and nothing that is none', async () => {
    for (const rp of [scene.rps.one, scene.rps.two]) rp.behave((_token, response) => void response.writeHead(503).end())
    const people = [await loggedIn('alice', 'one', 'two'), await loggedIn('bob', 'one', 'two')]
    for (const person of people) await person.logout()
    await scene.quiet()
    for (const rp of [scene.rps.one, scene.rps.two]) rp.behave((_token, response) => void response.writeHead(200).end())
    type Letter = {
      readonly delivery: string
      readonly sessionUid: string
      readonly clientId: string
      readonly at: number
    }
    const letters = async (query = ''): Promise<readonly Letter[]> => {
      const { deadLetters } = await asked('GET', `/dead-letters${query}`)
      return deadLetters as readonly Letter[]
    }
    const all = await letters()
    assert.equal(all.length, 4)
    assert.equal((await letters('?client=one')).length, 2)
    assert.equal((await letters(`?since=${Date.now() + 60_000}`)).length, 0)
    const first = all.find(({ clientId }) => clientId === 'one')
    const one = { delivery: first?.delivery, sessionUid: first?.sessionUid }
    assert.deepEqual(await asked('POST', '/replays', { ...one, dryRun: true }), { replayed: 1 })
    assert.equal((await letters()).length, 4)
    assert.deepEqual(await asked('POST', '/replays', one), { replayed: 1 })
    await scene.quiet()
    assert.deepEqual(refusal(await ask('POST', '/replays', one)), [409, 'NOT_A_DEAD_LETTER'])
    assert.deepEqual(await asked('POST', '/replays', { client: 'two' }), { replayed: 2 })
    await scene.quiet()
    assert.deepEqual(await asked('POST', '/replays', { since: 0 }), { replayed: 1 })
    await scene.quiet()
    assert.deepEqual(await letters(), [])
    const [replayed] = await scene.commitsWith('session_logout.back_channel.replayed')
    assert.equal(replayed?.meta.actor, 'anna')
  })

  it('switches features in the name of the operator, and discovery follows', async () => {
    const announced = async (): Promise<unknown> => {
      const response = await fetch(`${scene.op.issuer}/.well-known/openid-configuration`)
      return ((await response.json()) as Record<string, unknown>)['backchannel_logout_supported']
    }
    const gate = { feature: 'back_channel_logout', level: 'instance' }
    const stateIn = ({ features }: Record<string, unknown>): Record<string, unknown> | undefined =>
      (features as Record<string, unknown>[]).find(({ feature }) => feature === gate.feature)
    assert.equal(await announced(), true)
    const off = stateIn(await asked('PUT', '/features', { ...gate, enabled: false }))
    assert.deepEqual([off?.['enabled'], off?.['from']], [false, 'instance'])
    assert.equal((off?.['instance'] as { actor: string } | undefined)?.actor, 'anna')
    assert.equal(await announced(), undefined)
    assert.deepEqual(stateIn(await asked('GET', '/features')), off)
    const reset = stateIn(await asked('DELETE', '/features', gate))
    assert.deepEqual([reset?.['enabled'], reset?.['from'], reset?.['instance']], [true, 'configuration', undefined])
    assert.equal(await announced(), true)
    const system = stateIn(await asked('PUT', '/features', { ...gate, level: 'system', enabled: true }))
    assert.equal(system?.['from'], 'system')
  })

  it('tells nobody but the application what nobody foresaw', async () => {
    const secret = new Error('the password is swordfish')
    authorize = () => {
      throw secret
    }
    const answer = await ask('GET', '/operator')
    assert.deepEqual(refusal(answer), [500, 'FAILED'])
    assert.doesNotMatch(JSON.stringify(answer.body), /swordfish/)
    assert.deepEqual(unforeseen, [secret])
  })

  it('says that the OP is stopping', async () => {
    await scene.op.eventSourced.stop()
    assert.deepEqual(refusal(await ask('GET', '/logouts')), [503, 'PROVIDER_UNFIT'])
    assert.deepEqual(unforeseen, [])
  })
})
