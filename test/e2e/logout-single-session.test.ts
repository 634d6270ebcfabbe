import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import { bodyParser } from '@koa/bodyparser'
import express from 'express'
import { importJWK, SignJWT } from 'jose'
import Koa from 'koa'
import mount from 'koa-mount'
import type Provider from 'oidc-provider'
import type { ClientMetadata } from 'oidc-provider'
import { StoreUnavailableError } from '../../lib/index.ts'
import { LogoutScene, type SceneOptions } from '../support/logout-scene.ts'
import { Client, listen, Person, testSigningKey } from '../support/op.ts'
import { type Answer, field } from '../support/user-agent.ts'

const BYE = 'https://rp.example.com/bye'

describe('the end of a single session by an ID token', () => {
  let scene: LogoutScene<'one' | 'two'>
  let alice: Person
  let hint: string
  let uid: string

  async function start(
    { logout, ...options }: SceneOptions = {},
    one: Partial<ClientMetadata> = {},
    two: Partial<ClientMetadata> = {},
  ): Promise<void> {
    scene = await LogoutScene.start({ one, two }, { logout: { singleSessionTermination: true, ...logout }, ...options })
    alice = new Person(scene.op)
    hint = await idTokenOf(alice, 'one')
    await alice.authorize('two')
    uid = await uidOf(alice)
  }

  afterEach(() => scene.stop())

  async function idTokenOf(person: Person, rp: 'one' | 'two', login = 'alice'): Promise<string> {
    const code = await person.authorize(rp, { login })
    const { body } = await new Client(scene.op, scene.rps[rp].metadata).exchange(String(code.get('code')))
    return String(body['id_token'])
  }

  async function uidOf(person: Person): Promise<string> {
    const session = await scene.op.provider.Session.find(String(person.agent.cookie('_session')))
    return String(session?.uid)
  }

  async function lives(person: Person): Promise<boolean> {
    const answer = await person.agent.get(person.authorizationUrl('one', { prompt: 'none' }))
    return new URL(String(answer.headers.get('location'))).searchParams.get('error') !== 'login_required'
  }

  const isOurs = ({ text }: Answer): boolean => text.includes('op.singleSessionForm')

  /** The page's fields, as the browser would send them. */
  function fieldsOf({ text }: Answer): Record<string, string> {
    const inputs = text.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g)
    return Object.fromEntries([...inputs].map(([, name, value]) => [String(name), String(value)]))
  }

  function press(person: Person, page: Answer, change: Record<string, string> = {}): Promise<Answer> {
    return person.agent.post(field(page.text, /action="([^"]+)"/), { ...fieldsOf(page), ...change })
  }

  /** What is the same whether a session ended or not. */
  function shape({ status, headers, text }: Answer): unknown {
    const named = [...headers].filter(([name]) => !['date', 'set-cookie'].includes(name))
    return { status, headers: Object.fromEntries(named), text }
  }

  it('from a browser without a cookie: asks, and ends that session with all its logins when the button is pressed', async () => {
    await start()
    const stranger = new Person(scene.op)
    const page = await stranger.endSession({ id_token_hint: hint, post_logout_redirect_uri: BYE, state: 'x y' })
    assert.equal(page.status, 200)
    assert.ok(isOurs(page))
    assert.doesNotMatch(page.text, /<script|onload/, 'nothing posts it by itself')
    assert.equal(page.headers.get('x-frame-options'), 'DENY')
    assert.match(String(page.headers.get('content-security-policy')), /frame-ancestors 'none'/)
    assert.equal(await lives(alice), true, 'asking ends nothing')
    const answer = await press(stranger, page)
    assert.deepEqual([answer.status, answer.headers.get('location')], [303, `${BYE}?state=x+y`])
    assert.equal(await lives(alice), false)
    const [end] = (await scene.receiptOf(uid)).ends
    assert.deepEqual([end?.reason, end?.scope, end?.initiatingClient], ['single_session', 'session', 'one'])
    assert.deepEqual(
      end?.relyingParties.map(({ clientId, state }) => [clientId, state]),
      [
        ['one', 'confirmed'],
        ['two', 'confirmed'],
      ],
    )
    const [token] = await scene.rps.one.received(1)
    assert.equal((await scene.rps.one.verify(String(token), scene.op.issuer)).sub, 'alice')
  })

  it('from a browser in which another account is logged in: that one stays', async () => {
    await start()
    const bob = new Person(scene.op)
    await bob.authorize('two', { login: 'bob' })
    const page = await bob.endSession({ id_token_hint: hint })
    assert.ok(isOurs(page))
    const answer = await press(bob, page)
    assert.match(String(answer.headers.get('location')), /\/session\/end\/success$/)
    assert.equal((await bob.agent.follow(answer)).status, 200)
    assert.deepEqual([await lives(alice), await lives(bob)], [false, true])
  })

  it('from the same account’s other browser: only the named session ends', async () => {
    await start()
    const phone = new Person(scene.op)
    await phone.authorize('one')
    await press(phone, await phone.endSession({ id_token_hint: hint }))
    assert.deepEqual([await lives(alice), await lives(phone)], [false, true])
  })

  it('of the browser’s own: the provider’s own page asks', async () => {
    await start()
    const page = await alice.endSession({ id_token_hint: hint })
    assert.ok(!isOurs(page))
    assert.match(page.text, /op\.logoutForm/)
    await alice.confirm(page)
    assert.equal((await scene.receiptOf(uid)).ends[0]?.reason, 'rp_initiated')
  })

  it('of the browser’s own, by an ID token of a login there that a newer one has replaced: the provider’s own page asks', async () => {
    await start()
    const session = await scene.op.provider.Session.find(String(alice.agent.cookie('_session')))
    session?.authorizationFor('one')
    const authorizations = session?.authorizations as Record<string, { sid: string }>
    Object.assign(authorizations, { one: { ...authorizations['one'], sid: 'a-newer-login' } })
    await session?.save(3_600)
    assert.ok(!isOurs(await alice.endSession({ id_token_hint: hint })))
    assert.ok(isOurs(await new Person(scene.op).endSession({ id_token_hint: hint })))
  })

  it('with the feature off: the provider’s own page, about the browser’s own session', async () => {
    await start({ logout: { singleSessionTermination: false } })
    const bob = new Person(scene.op)
    await bob.authorize('two', { login: 'bob' })
    assert.ok(!isOurs(await bob.endSession({ id_token_hint: hint })))
    const direct = await bob.agent.post(`${scene.op.issuer}/session/end/single`, { xsrf: 'x', id_token_hint: hint })
    assert.equal(direct.status, 404)
  })

  it('follows the feature at run time', async () => {
    await start({ logout: { singleSessionTermination: false } })
    const stranger = new Person(scene.op)
    const { features } = scene.op.eventSourced
    await features.set('single_session_termination', true, { level: 'instance', actor: 'anna' })
    assert.ok(isOurs(await stranger.endSession({ id_token_hint: hint })))
    await features.reset('single_session_termination', { level: 'instance', actor: 'anna' })
    assert.ok(!isOurs(await stranger.endSession({ id_token_hint: hint })))
  })

  it('takes an ID token that has expired', async () => {
    await start()
    const claims = JSON.parse(Buffer.from(String(hint.split('.')[1]), 'base64url').toString())
    const expired = await signed({ ...claims, iat: 1_000_000_000, exp: 1_000_000_060 })
    const stranger = new Person(scene.op)
    const page = await stranger.endSession({ id_token_hint: expired })
    assert.ok(isOurs(page))
    await press(stranger, page)
    assert.equal(await lives(alice), false)
  })

  it('with pairwise subjects: takes the one of that client', async () => {
    const pairwise = { subject_type: 'pairwise' as const }
    await start(
      {
        configuration: {
          subjectTypes: ['public', 'pairwise'],
          pairwiseIdentifier: async (_ctx, accountId, client) => `${accountId} at ${client.clientId}`,
        },
      },
      pairwise,
      pairwise,
    )
    const stranger = new Person(scene.op)
    const claims = JSON.parse(Buffer.from(String(hint.split('.')[1]), 'base64url').toString())
    assert.equal(claims.sub, 'alice at one')
    const page = await stranger.endSession({ id_token_hint: hint })
    await press(stranger, page, { id_token_hint: await signed({ ...claims, sub: 'alice' }) })
    assert.equal(await lives(alice), true, 'another subject is somebody else')
    await press(stranger, page)
    assert.equal(await lives(alice), false)
  })

  it('tells nobody whether the session lives, where subjects cannot be computed without a request', async () => {
    const pairwise = { subject_type: 'pairwise' as const }
    await start(
      {
        configuration: {
          subjectTypes: ['public', 'pairwise'],
          pairwiseIdentifier: async (ctx, accountId) => `${ctx.host} ${accountId}`,
        },
      },
      pairwise,
    )
    const stranger = new Person(scene.op)
    const answer = await press(stranger, await stranger.endSession({ id_token_hint: hint }))
    assert.equal(answer.status, 303)
    assert.equal(await lives(alice), true)
  })

  it('tells nobody whether the session lives', async () => {
    await start()
    const stranger = new Person(scene.op)
    const ask = (): Promise<Answer> => stranger.endSession({ id_token_hint: hint, post_logout_redirect_uri: BYE })
    const [before, ended] = [await ask(), await press(stranger, await ask())]
    assert.equal(await lives(alice), false)
    const [after, again] = [await ask(), await press(stranger, await ask())]
    const withoutSecret = (page: Answer): unknown =>
      shape({ ...page, text: page.text.replaceAll(/value="[0-9a-f]{48}"/g, '') })
    assert.deepEqual(withoutSecret(after), withoutSecret(before))
    assert.deepEqual(shape(again), shape(ended))
    const claims = JSON.parse(Buffer.from(String(hint.split('.')[1]), 'base64url').toString())
    const never = await signed({ ...claims, sid: 'never-was' })
    const unknown = await stranger.endSession({ id_token_hint: never, post_logout_redirect_uri: BYE })
    assert.deepEqual(shape(await press(stranger, unknown)), shape(ended))
  })

  describe('refuses', () => {
    it('a form without the browser’s secret', async () => {
      await start()
      const stranger = new Person(scene.op)
      const page = await stranger.endSession({ id_token_hint: hint })
      const wrong = await press(stranger, page, { xsrf: 'f'.repeat(48) })
      assert.equal(wrong.status, 400)
      assert.match(wrong.text, /xsrf token invalid/)
      assert.equal(wrong.headers.get('cache-control'), 'no-store')
      assert.match(String(wrong.headers.get('content-security-policy')), /frame-ancestors 'none'/)
      const other = new Person(scene.op)
      const foreign = await other.agent.post(field(page.text, /action="([^"]+)"/), fieldsOf(page))
      assert.equal(foreign.status, 400)
      assert.match(foreign.text, /could not find logout details/)
      assert.equal(await lives(alice), true)
    })

    it('a forged or altered hint', async () => {
      await start()
      const stranger = new Person(scene.op)
      const page = await stranger.endSession({ id_token_hint: hint })
      const [header, payload] = hint.split('.')
      const none = Buffer.from('{"alg":"none"}').toString('base64url')
      for (const forged of [`${header}.${payload}.AAAA`, `${none}.${payload}.`, 'nonsense', 'a.b.c', `${hint}.x.y`]) {
        const answer = await press(stranger, page, { id_token_hint: forged })
        assert.equal(answer.status, 400, forged)
        assert.equal((await stranger.endSession({ id_token_hint: forged })).status, 400, forged)
      }
      assert.equal(await lives(alice), true)
    })

    it('an encrypted hint, which the provider does not support', async () => {
      await start(
        { configuration: { features: { encryption: { enabled: true } } } },
        { id_token_encrypted_response_alg: 'dir', id_token_encrypted_response_enc: 'A128CBC-HS256' },
      )
      assert.equal(hint.split('.').length, 5)
      const stranger = new Person(scene.op)
      assert.equal((await stranger.endSession({ id_token_hint: hint })).status, 400)
      const page = await stranger.endSession({ id_token_hint: await idTokenOf(new Person(scene.op), 'two') })
      assert.equal((await press(stranger, page, { id_token_hint: hint })).status, 400)
      assert.equal(await lives(alice), true)
    })

    it('the hint of another client than the one that is named', async () => {
      await start()
      const stranger = new Person(scene.op)
      assert.equal((await stranger.endSession({ id_token_hint: hint, client_id: 'two' })).status, 400)
    })

    it('a form that is none, or too long, or says things twice', async () => {
      await start()
      const url = `${scene.op.issuer}/session/end/single`
      const stranger = new Person(scene.op)
      const page = await stranger.endSession({ id_token_hint: hint })
      const { xsrf } = fieldsOf(page)
      const cookie = `_session=${stranger.agent.cookie('_session')}; _session.sig=${stranger.agent.cookie('_session.sig')}`
      const send = async (body: string, type = 'application/x-www-form-urlencoded'): Promise<number> =>
        (await fetch(url, { method: 'POST', redirect: 'manual', headers: { 'content-type': type, cookie }, body }))
          .status
      const form = new URLSearchParams({ xsrf: String(xsrf), id_token_hint: hint }).toString()
      assert.equal(await send(form, 'text/plain'), 400)
      assert.equal(await send(`xsrf=${xsrf}`), 400)
      assert.equal(await send(`${form}&id_token_hint=${hint}`), 400)
      assert.equal(await send(`${form}&state=${'x'.repeat(70_000)}`), 400)
      assert.equal(await lives(alice), true)
      assert.equal(await send(form), 303)
      assert.equal(await lives(alice), false)
    })
  })

  it('never sends the browser to a URI that is not registered', async () => {
    await start()
    const stranger = new Person(scene.op)
    const page = await stranger.endSession({ id_token_hint: hint })
    const answer = await press(stranger, page, { post_logout_redirect_uri: 'https://evil.example.com/' })
    assert.match(String(answer.headers.get('location')), /^http:\/\/127\.0\.0\.1:\d+\/session\/end\/success$/)
  })

  it('ends nothing for the sid of one client in the name of another', async () => {
    await start()
    const claims = JSON.parse(Buffer.from(String(hint.split('.')[1]), 'base64url').toString())
    const stranger = new Person(scene.op)
    const page = await stranger.endSession({ id_token_hint: await signed({ ...claims, aud: 'two' }) })
    await press(stranger, page)
    assert.equal(await lives(alice), true)
  })

  it('ends nothing while the store is away: 503, and the button may be pressed again', async () => {
    await start()
    const stranger = new Person(scene.op)
    const page = await stranger.endSession({ id_token_hint: hint })
    const { append } = scene.store
    scene.store.append = () => Promise.reject(new StoreUnavailableError('away'))
    const answer = await press(stranger, page)
    assert.deepEqual([answer.status, answer.headers.get('retry-after')], [503, '2'])
    scene.store.append = append
    assert.equal(await lives(alice), true)
    assert.equal((await press(stranger, page)).status, 303)
    assert.equal(await lives(alice), false)
  })

  const mounted: Readonly<Record<string, (provider: Provider) => RequestListener>> = {
    Koa: (provider) =>
      new Koa()
        .use(bodyParser())
        .use(mount('/oidc', provider as unknown as Koa))
        .callback(),
    Express: (provider) =>
      express()
        .use(express.urlencoded({ extended: true }))
        .use('/oidc', provider.callback()) as RequestListener,
  }

  for (const [framework, applicationOf] of Object.entries(mounted)) {
    it(`works where the provider is mounted in ${framework}, behind a body parser`, () => worksMounted(applicationOf))
  }

  async function worksMounted(applicationOf: (provider: Provider) => RequestListener): Promise<void> {
    await start()
    const server = createServer(applicationOf(scene.op.provider))
    const port = await listen(server, 0)
    const stranger = new Person({ issuer: scene.op.issuer })
    const url = new URL(`http://127.0.0.1:${port}/oidc/session/end`)
    url.searchParams.set('id_token_hint', hint)
    const page = await stranger.agent.get(url.href)
    assert.equal(field(page.text, /action="([^"]+)"/), `http://127.0.0.1:${port}/oidc/session/end/single`)
    const answer = await press(stranger, page)
    assert.equal(answer.headers.get('location'), `http://127.0.0.1:${port}/oidc/session/end/success`)
    assert.equal(await lives(alice), false)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }

  it('is told by a page of the application’s own, where it has one', async () => {
    await start({
      logout: {
        singleSessionSource(ctx, form) {
          ctx.body = `<h1>Our house</h1>${form}`
        },
      },
    })
    const stranger = new Person(scene.op)
    const page = await stranger.endSession({ id_token_hint: hint })
    assert.match(page.text, /^<h1>Our house<\/h1><form id="op.singleSessionForm"/)
    await press(stranger, page)
    assert.equal(await lives(alice), false)
  })

  async function signed(claims: Record<string, unknown>): Promise<string> {
    const key = await importJWK(await testSigningKey(), 'RS256')
    return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'test' }).sign(key)
  }
})
