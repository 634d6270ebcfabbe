import assert from 'node:assert/strict'
import { createServer, request as httpRequest, type RequestListener, type Server } from 'node:http'
import express from 'express'
import type { FastifyInstance } from 'fastify'
import { importJWK, SignJWT } from 'jose'
import type Koa from 'koa'
import type { MongoClient } from 'mongodb'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type {
  IdTokenClaims,
  LoggedOutSessions,
  LoggedOutStore,
  LogoutNotice,
  LogoutTokenReplayStore,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { GuideCode } from '../support/guide-code.ts'
import { openDatabase } from '../support/mongo-database.ts'
import { listen, type Op, startOp, testClient, testSigningKey } from '../support/op.ts'
import { UserAgent } from '../support/user-agent.ts'

const CLIENT_ID = 'my-client-id'
const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
type FetchHandler = (request: Request) => Promise<Response>

const FORM = 'application/x-www-form-urlencoded'

describe('the code of the guide for RP teams, run as it stands', () => {
  let guide: GuideCode
  let op: Op
  let sessions: LoggedOutSessions
  let withExpress: express.Express
  let warnings: unknown[]
  const servers: Server[] = []
  const { warn } = console

  before(async () => {
    guide = await GuideCode.read('docs/guides/receiver.md')
    op = await startOp(new MemoryEventStore(), { clients: [testClient(CLIENT_ID)] })
    Object.assign(process.env, {
      COOKIE_KEY: 'the cookie key of the tests',
      ISSUER: op.issuer,
      BASE_URL: 'http://127.0.0.1:1',
      CLIENT_ID,
      CLIENT_SECRET: 'secret',
      PORT: '0',
    })
    const module = await guide.run('The first five minutes', {
      file: 'logout.js',
      values: { 'https://op.example': op.issuer },
    })
    sessions = module['sessions'] as LoggedOutSessions
    const inExpress = await guide.run('Express, with express-session', { file: 'express.js', names: ['app'] })
    withExpress = inExpress['app'] as express.Express
    withExpress.use((req, res) => {
      const session = req.session as { user?: string }
      if (req.path === '/callback') {
        sessions.onLogin(req.session, idToken(String(req.query['sid'])))
        session.user = 'alice'
      }
      res.send(session.user ?? 'nobody')
    })
  })

  beforeEach(() => {
    warnings = []
    console.warn = (warning: unknown) => void warnings.push(warning)
  })

  afterEach(async () => {
    console.warn = warn
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })

  after(async () => {
    for (const name of ['COOKIE_KEY', 'ISSUER', 'BASE_URL', 'CLIENT_ID', 'CLIENT_SECRET', 'PORT'])
      delete process.env[name]
    await op.stop()
    await guide.remove()
  })

  async function listening(listener: RequestListener): Promise<string> {
    const server = createServer(listener)
    servers.push(server)
    return `http://127.0.0.1:${await listen(server, 0)}`
  }

  const now = (): number => Math.floor(Date.now() / 1000)
  const idToken = (sid: string): IdTokenClaims => ({ iss: op.issuer, sub: 'alice', sid, iat: now() - 60 })
  let tokens = 0

  async function logoutToken(claims: object): Promise<string> {
    return new SignJWT({ events: { [EVENT]: {} }, jti: `${++tokens}`, ...claims })
      .setProtectedHeader({ alg: 'RS256', kid: 'test', typ: 'logout+jwt' })
      .setIssuer(op.issuer)
      .setAudience(CLIENT_ID)
      .setIssuedAt()
      .setExpirationTime('2 minutes')
      .sign(await importJWK(await testSigningKey(), 'RS256'))
  }

  async function send(origin: string, body: string, headers: Record<string, string> = {}, method = 'POST') {
    const url = `${origin}/backchannel-logout`
    const response = await fetch(url, { method, headers: { 'content-type': FORM, ...headers }, body })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  /** All that the guide says of the answers, whatever the framework makes of requests before the receiver sees them. */
  async function assertAnswers(origin: string): Promise<void> {
    const tried = await send(origin, 'logout_token=x')
    assert.equal(tried.status, 400)
    assert.match(tried.text, /token_malformed/)
    assert.equal(tried.headers.get('cache-control'), 'no-store')
    assert.match(tried.headers.get('content-type') ?? '', /^application\/json/)

    const token = await logoutToken({ sid: 'nobody' })
    const twice = await send(origin, `logout_token=${token}&logout_token=${token}`)
    assert.deepEqual([twice.status, /more than one|token_malformed/.test(twice.text)], [400, true])
    assert.match((await send(origin, '')).text, /token_missing/)
    assert.match((await send(origin, 'logout_token[]=x')).text, /token_m/)

    const good = await send(origin, `other=1&logout_token=${token}`, { 'content-type': `${FORM}; charset=UTF-8` })
    assert.deepEqual([good.status, good.text], [200, ''])
    assert.equal(good.headers.get('cache-control'), 'no-store')
    assert.match((await send(origin, `logout_token=${token}`)).text, /replayed/)
  }

  /** What a body parser would answer itself. */
  async function assertRefusals(origin: string): Promise<void> {
    const put = await send(origin, 'logout_token=x', {}, 'PUT')
    assert.deepEqual([put.status, put.headers.get('allow')], [405, 'POST'])
    assert.equal((await fetch(`${origin}/backchannel-logout`)).status, 405)
    assert.equal((await send(origin, '{"logout_token":"x"}', { 'content-type': 'application/json' })).status, 415)
    assert.equal((await send(origin, 'x', { 'content-type': 'text/plain' })).status, 415)
    assert.equal(await sentChunked(`${origin}/backchannel-logout`, `logout_token=${'a'.repeat(200_000)}`), 413)
    assert.equal((await send(origin, `logout_token=${'a'.repeat(200_000)}`)).status, 413)
  }

  /** Logs in, is logged out by a token, and is out. */
  async function assertEndsSessions(origin: string, sid: string): Promise<void> {
    const [alice, other] = [new UserAgent(), new UserAgent()]
    await alice.get(`${origin}/callback?sid=${sid}`)
    await other.get(`${origin}/callback?sid=${sid}-other`)
    assert.equal((await alice.get(`${origin}/`)).text, 'alice')
    assert.equal((await send(origin, `logout_token=${await logoutToken({ sub: 'alice', sid })}`)).status, 200)
    assert.equal((await alice.get(`${origin}/`)).text, 'nobody')
    assert.equal((await other.get(`${origin}/`)).text, 'alice')
  }

  it('works in Koa', async () => {
    const { app } = (await guide.run('Koa, with koa-session', { file: 'koa.js', names: ['app'] })) as { app: Koa }
    app.silent = true
    app.use((ctx) => {
      const session = ctx['session'] as { user?: string }
      if (ctx.path === '/callback') {
        sessions.onLogin(session, idToken(String(ctx.query['sid'])))
        session.user = 'alice'
      }
      ctx.body = session.user ?? 'nobody'
    })
    const origin = await listening(app.callback())
    await assertAnswers(origin)
    await assertRefusals(origin)
    await assertEndsSessions(origin, 'koa')
  })

  describe('in Express', () => {
    it('works', async () => {
      const origin = await listening(withExpress)
      await assertAnswers(origin)
      await assertRefusals(origin)
      await assertEndsSessions(origin, 'express')
      assert.ok(warnings.length > 3)
    })

    for (const [what, parser] of [
      ['urlencoded', express.urlencoded({ extended: false })],
      ['urlencoded, extended', express.urlencoded({ extended: true })],
      ['json', express.json()],
      ['text', express.text({ type: FORM })],
      ['raw', express.raw({ type: () => true })],
    ] as const) {
      it(`works behind the body parser ${what}`, async () => {
        const origin = await listening(express().use(parser).use(withExpress))
        await assertAnswers(origin)
        await assertEndsSessions(origin, `express ${what}`)
      })
    }
  })

  it('works in Express with express-openid-connect', async () => {
    const module = await guide.run('Express, with express-openid-connect', { file: 'connect.js', names: ['app'] })
    const origin = await listening(module['app'] as express.Express)
    const toLogin = await new UserAgent().get(`${origin}/`)
    assert.ok(toLogin.headers.get('location')?.startsWith(`${op.issuer}/auth?`), toLogin.text)
    const session = {}
    sessions.onLogin(session, idToken('connect'))
    assert.equal((await send(origin, 'logout_token=x')).status, 400)
    assert.equal(await sessions.isLoggedOut(session), false)
    assert.equal((await send(origin, `logout_token=${await logoutToken({ sid: 'connect' })}`)).status, 204)
    assert.equal(await sessions.isLoggedOut(session), true)

    const receiver: RequestListener = (req, res) => withExpress(req, res)
    const both = await listening(
      express()
        .all('/backchannel-logout', receiver)
        .use(module['app'] as express.Express),
    )
    await assertAnswers(both)
    assert.ok((await new UserAgent().get(`${both}/`)).headers.get('location')?.startsWith(`${op.issuer}/auth?`))
  })

  it('works in Fastify, whatever parsers it has', async () => {
    const { app } = (await guide.run('Fastify', { file: 'fastify.js', names: ['app'] })) as { app: FastifyInstance }
    app.addContentTypeParser(FORM, { parseAs: 'string' }, (_request, body, done) => done(null, { parsed: body }))
    const origin = await app.listen({ host: '127.0.0.1', port: 0 })
    try {
      await assertAnswers(origin)
      await assertRefusals(origin)
    } finally {
      await app.close()
    }
  })

  it('works in fetch-style handlers: in Hono, and with nothing around', async () => {
    const { POST } = (await guide.run('Fetch-style handlers', { file: 'route.js' })) as { POST: FetchHandler }
    // In the guide's words alone: the types of Hono want those of a browser.
    const { server } = (await guide.run('Hono', { file: 'hono.js', names: ['server'] })) as { server: Server }
    servers.push(server)
    if (!server.listening) await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    assert(address !== null && typeof address === 'object')
    await assertAnswers(`http://127.0.0.1:${address.port}`)
    await assertRefusals(`http://127.0.0.1:${address.port}`)

    const body = new URLSearchParams({ logout_token: await logoutToken({ sid: 'nobody' }) })
    const request = new Request('https://rp.example.com/backchannel-logout', { method: 'POST', body })
    assert.equal((await POST(request.clone())).status, 200)
    await request.text()
    const read = await POST(request)
    assert.equal(read.status, 503)
    assert.match(await read.text(), /body_unreadable/)
  })

  it('validates a token alone', async () => {
    const { whoIsLoggedOut } = (await guide.run('Only the token', { file: 'token.js' })) as {
      whoIsLoggedOut: (token: string) => Promise<object>
    }
    const token = await logoutToken({ sub: 'alice', sid: 'token' })
    assert.deepEqual(await whoIsLoggedOut(token), { sub: 'alice', sid: 'token' })
    assert.deepEqual(await whoIsLoggedOut(token), { code: 'replayed', retryable: false })
  })

  it('ends sessions in a table of its own', async () => {
    const { onLogout, sessions: table } = (await guide.run('An `onLogout` of your own', {
      file: 'own.js',
      names: ['sessions'],
    })) as { onLogout: (notice: LogoutNotice) => Promise<void>; sessions: Map<string, object> }
    const rest = async (notice: { sub?: string; sid?: string }, claims: Record<string, unknown>): Promise<string[]> => {
      table.clear()
      for (const [id, sub, iat] of [
        ['a', 'alice', 100],
        ['b', 'alice', 200],
        ['c', 'alice', 300],
        ['d', 'bob', 100],
      ] as const) {
        table.set(id, { sub, iat, sid: `sid-${id}` })
      }
      await onLogout({ issuer: op.issuer, ...notice, token: { issuedAt: 250, claims } as never })
      return [...table.keys()]
    }
    assert.deepEqual(await rest({ sid: 'sid-c' }, {}), ['a', 'b', 'd'])
    assert.deepEqual(await rest({ sub: 'alice', sid: 'sid-a' }, {}), ['b', 'c', 'd'])
    assert.deepEqual(await rest({ sub: 'alice' }, {}), ['c', 'd'])
    assert.deepEqual(await rest({ sub: 'alice' }, { toe: 100 }), ['b', 'c', 'd'])
  })

  it('opens both stores on MongoDB', async () => {
    const database = await openDatabase('receiver_guide')
    process.env['MONGODB_URI_OF_GUIDE'] = database.uri
    const module = await guide.run('On MongoDB', {
      file: 'stores.js',
      values: { "'rp'": `'${database.name}'`, 'process.env.MONGODB_URI': 'process.env.MONGODB_URI_OF_GUIDE' },
      names: ['client'],
    })
    delete process.env['MONGODB_URI_OF_GUIDE']
    try {
      const store = module['store'] as LoggedOutStore
      const replayStore = module['replayStore'] as LogoutTokenReplayStore
      await store.remember([{ key: 'a', loggedOutAt: 1, expiresAt: now() + 60, now: now() }])
      assert.deepEqual(await store.recall(['a']), [1])
      const entry = { issuer: op.issuer, jti: 'a', now: now(), expiresAt: now() + 60 }
      assert.equal((await replayStore.reserve(entry)).outcome, 'reserved')
      const names = (await database.db.listCollections().toArray()).map(({ name }) => name)
      assert.deepEqual(names.sort(), ['logged_out_sessions', 'logout_token_replays'])
    } finally {
      await (module['client'] as MongoClient).close()
      await database.drop()
    }
  }).timeout(300_000)

  describe('with these tests', () => {
    it('is run, all of it', () => {
      assert.deepEqual(guide.leftOut, [])
    })
  })
})

/** Without a length, and through node:http, which sees an answer that arrives while the request is being written. */
function sentChunked(url: string, body: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method: 'POST', headers: { 'content-type': FORM } }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode))
    }).on('error', reject)
    for (let at = 0; at < body.length; at += 16 * 1024) request.write(body.slice(at, at + 16 * 1024))
    request.end()
  })
}
