import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { StoreUnavailableError } from '../../lib/errors.ts'
import type { LoginRequest, SignedIn } from '../../plugins/account-sessions/index.ts'
import { AccountScene } from '../support/account-scene.ts'
import { FakeClock } from '../support/fake-clock.ts'
import type { Person } from '../support/op.ts'

const MINUTE = 60_000

const ENDS = [
  ['/sessions/end', { id: 'unknown' }],
  ['/sessions/end-others', {}],
  ['/apps/revoke', { clientId: 'shop' }],
] as const

describe('the API of devices and apps', () => {
  let at: AccountScene
  let here: Person
  let phone: Person
  let bob: Person

  before(async () => {
    at = await AccountScene.start({
      account: { login: (_ctx, { reason, returnTo }: LoginRequest) => `/login?why=${reason}&back=${returnTo}` },
    })
    here = await at.loggedIn('alice', 'shop')
    phone = await at.loggedIn('alice', 'shop')
    bob = await at.loggedIn('bob', 'shop', 'mail')
  })

  after(() => at.stop())

  it('answers nobody who is not signed in, and says where to log in', async () => {
    for (const path of ['/sessions', '/apps', '/ended?reference=x'])
      assert.deepEqual((await at.api(undefined, path)).body, {
        error: {
          code: 'NOT_SIGNED_IN',
          message: 'nobody is signed in: log in at the URL that `login` names',
          login: '/login?why=not_signed_in&back=/account/sessions/',
        },
      })
    for (const [path, body] of ENDS) assert.equal((await at.api(undefined, path, body)).status, 401)
  })

  it('answers a session of somebody else exactly as one that does not exist', async () => {
    const unknown = await at.api(here, '/sessions/end', { id: 'unknown' })
    assert.deepEqual([unknown.status, unknown.body.error.code], [404, 'SESSION_UNKNOWN'])
    const theirs = [await at.uidOf(bob), String(bob.agent.cookie('_session')), 'uid:x', 'Session:x']
    for (const id of theirs) {
      const answer = await at.api(here, '/sessions/end', { id })
      assert.deepEqual([answer.status, answer.body], [unknown.status, unknown.body])
      assert.deepEqual(headersOf(answer.headers), headersOf(unknown.headers))
    }
    assert.equal(await at.isLoggedIn(bob), true)
  })

  it('answers for an app that somebody else uses exactly as for one that does not exist', async () => {
    const unknown = await at.api(here, '/apps/revoke', { clientId: 'unknown' })
    assert.deepEqual([unknown.status, unknown.body.error.code], [404, 'APP_UNKNOWN'])
    const answer = await at.api(here, '/apps/revoke', { clientId: 'mail' })
    assert.deepEqual([answer.status, answer.body], [unknown.status, unknown.body])
    assert.equal(await at.isLoggedIn(bob, 'mail'), true)
  })

  it('tells nobody what another account has ended', async () => {
    const { body } = await at.api(phone, '/sessions/end', { id: await at.uidOf(await at.loggedIn('alice', 'shop')) })
    assert.equal((await at.api(here, `/ended?reference=${body.reference}`)).status, 200)
    const others = await at.api(bob, `/ended?reference=${body.reference}`)
    const unknown = await at.api(bob, '/ended?reference=unknown')
    assert.deepEqual([others.status, others.body], [unknown.status, unknown.body])
    assert.deepEqual([unknown.status, unknown.body.error.code], [404, 'REFERENCE_UNKNOWN'])
    assert.equal((await at.page(bob, `/?ended=${body.reference}`)).text.includes('as-ended'), false)
  })

  it('never answers anything of another account, whatever is asked', async () => {
    const secrets = [await at.uidOf(bob), ...(await grantIds(at, 'bob')), String(bob.agent.cookie('_session'))]
    const before = await stateOf(at, 'bob')
    const id = fc.oneof(
      fc.constantFrom(...secrets, 'shop', 'mail', 'bob', '', '__proto__'),
      fc.string({ maxLength: 40 }),
    )
    const field = fc.constantFrom('id', 'clientId', 'accountId', 'account', 'sub', 'sessionUid', 'limit', 'reference')
    const path = fc.constantFrom('/sessions', '/apps', '/ended', ...ENDS.map(([path]) => path), '/', '/sessions/', '')
    await fc.assert(
      fc.asyncProperty(
        path,
        fc.dictionary(field, id, { maxKeys: 3, noNullPrototype: true }),
        fc.boolean(),
        async (path, fields, posts) => {
          // Alice may end all of her own: what she is, is another browser each time.
          const asks = posts
            ? at.api(here, path, fields)
            : at.api(here, `${path}?${new URLSearchParams(fields as Record<string, string>)}`)
          const { status, body } = await asks
          assert.ok(status < 500, `${status} ${JSON.stringify(body)}`)
          for (const secret of secrets) {
            if (!JSON.stringify(fields).includes(secret)) assert.equal(JSON.stringify(body).includes(secret), false)
          }
          if (status === 401) here = await at.loggedIn('alice', 'shop')
        },
      ),
      { numRuns: 150 },
    )
    assert.deepEqual(await stateOf(at, 'bob'), before)
  })

  it('refuses pages of other origins, also to look', async () => {
    for (const headers of [{ 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'https://other.example.com' }]) {
      assert.equal((await at.api(here, '/sessions', undefined, headers)).body.error.code, 'CROSS_ORIGIN')
      for (const [path, body] of ENDS)
        assert.deepEqual((await at.api(here, path, body, headers)).body.error.code, 'CROSS_ORIGIN')
    }
    const form = { form: { id: 'x' }, headers: { Origin: 'https://other.example.com' } }
    const page = await at.page(here, '/sessions/end', form)
    assert.equal(page.status, 403)
    assert.match(page.text, /can be asked for on this page only/)
  })

  it('says what is wrong with a request', async () => {
    for (const [path, body, status, code] of [
      ['/sessions?limit=0', undefined, 400, 'FIELD_INVALID'],
      ['/sessions?page=1', undefined, 400, 'FIELD_INVALID'],
      ['/sessions', {}, 405, 'METHOD_NOT_ALLOWED'],
      ['/sessions/end', {}, 400, 'FIELD_INVALID'],
      ['/sessions/end', { id: 1 }, 400, 'FIELD_INVALID'],
      ['/sessions/end', undefined, 405, 'METHOD_NOT_ALLOWED'],
      ['/sessions/end-others', { id: 'x' }, 400, 'FIELD_INVALID'],
      ['/nothing', undefined, 404, 'NOT_FOUND'],
    ] as const) {
      const answer = await at.api(here, path, body)
      assert.deepEqual([answer.status, answer.body.error.code], [status, code], path)
      if (status === 405) assert.equal(answer.headers.get('Allow'), body ? 'GET, HEAD' : 'POST')
    }
  })

  it('keeps its answers from caches and frames', async () => {
    const { headers } = await at.api(here, '/sessions')
    assert.equal(headers.get('Cache-Control'), 'no-store')
    assert.match(String(headers.get('Content-Security-Policy')), /default-src 'none'/)
  })
})

describe('how long after a login something may be ended', () => {
  let clock: FakeClock
  let at: AccountScene
  let here: Person

  /** The login is as old as the clock makes it. */
  async function started(recentLoginMs?: number): Promise<void> {
    clock = new FakeClock(Date.now())
    let who: SignedIn | undefined
    at = await AccountScene.start({
      clock,
      account: { authenticate: async () => who, ...(recentLoginMs !== undefined && { recentLoginMs }) },
    })
    here = await at.loggedIn('alice', 'shop')
    who = { accountId: 'alice', sessionUid: await at.uidOf(here), authenticatedAt: clock.now() }
  }

  afterEach(() => at.stop())

  it('is ten minutes, to the millisecond', async () => {
    await started()
    await clock.advance(10 * MINUTE)
    assert.equal((await at.api(here, '/sessions')).body.mayEnd, true)
    assert.equal((await at.api(here, '/sessions/end', { id: 'x' })).body.error.code, 'SESSION_UNKNOWN')
    await clock.advance(1)
    assert.equal((await at.api(here, '/sessions')).body.mayEnd, false)
    assert.equal((await at.api(here, '/apps')).body.mayRevoke, false)
    for (const [path, body] of ENDS) {
      const answer = await at.api(here, path, body)
      assert.deepEqual(
        [answer.status, answer.body.error.code, answer.body.error.login],
        [403, 'LOGIN_NOT_RECENT', '/login'],
      )
    }
    assert.equal(await at.isLoggedIn(here), true)
  })

  it('is as long as the application says', async () => {
    await started(30 * MINUTE)
    await clock.advance(30 * MINUTE)
    assert.equal((await at.api(here, '/sessions')).body.mayEnd, true)
    await clock.advance(1)
    assert.equal((await at.api(here, '/sessions')).body.mayEnd, false)
  })

  it('is shown on the page: in place of the forms stands where to log in again', async () => {
    await started()
    await at.loggedIn('alice', 'shop')
    const fresh = await at.page(here)
    assert.deepEqual([fresh.status, forms(fresh.text), fresh.text.includes('href="/login"')], [200, 4, false])
    await clock.advance(11 * MINUTE)
    const stale = await at.page(here)
    assert.deepEqual([stale.status, forms(stale.text), stale.text.includes('href="/login"')], [200, 0, true])
    const ended = await at.page(here, '/sessions/end-others', { form: {} })
    assert.equal(ended.status, 403)
    assert.match(ended.text, /log in again/)
    assert.match(ended.text, /href="\/login"/)
  })
})

describe('the page of devices and apps', () => {
  let at: AccountScene
  let here: Person

  before(async () => {
    at = await AccountScene.start({
      shop: { client_name: '<b>Shop</b>"', client_uri: 'https://shop.example.com/' },
      account: { describe: () => ({ label: '<i>Phone</i>', ip: '"203.0.113.7"', userAgent: 'x'.repeat(5_000) }) },
    })
    here = await at.loggedIn('alice', 'shop', 'mail')
  })

  after(() => at.stop())

  it('shows the sessions and the apps, and nothing that anybody else has written as HTML', async () => {
    await at.loggedIn('alice', 'shop')
    const { status, text } = await at.page(here)
    assert.equal(status, 200)
    assert.equal(text.match(/<h3>/g)?.length, 4)
    assert.equal(text.includes('<i>') || text.includes('<b>'), false)
    assert.match(text, /&#60;i&#62;Phone&#60;\/i&#62;/)
    assert.match(text, /This device/)
    assert.match(text, /Know who you are/)
    assert.equal(forms(text), 5)
  })

  it('has no script and no style inside, and a policy that would not let them run', async () => {
    const { headers, text } = await at.page(here)
    assert.equal(
      /<style|\son\w+=|<script(?! type="module" src="\/account\/sessions\/page\.js"><\/script>)|style=/.test(text),
      false,
    )
    const policy = String(headers.get('Content-Security-Policy'))
    assert.match(policy, /default-src 'none'; script-src 'self' 'nonce-[\w+/=]+'; style-src 'self' 'nonce-/)
    assert.match(policy, /frame-ancestors 'none'/)
    assert.equal(headers.get('Cache-Control'), 'no-store')
    for (const [path, type] of [
      ['/style.css', 'text/css; charset=utf-8'],
      ['/page.js', 'text/javascript; charset=utf-8'],
    ] as const) {
      const asset = await at.page(undefined, path)
      assert.deepEqual([asset.status, asset.headers.get('Content-Type')], [200, type])
    }
  })

  it('ends a session by a form, and shows which apps were told, however often it is loaded', async () => {
    const phone = await at.loggedIn('alice', 'shop')
    const posted = await at.page(here, '/sessions/end', { form: { id: await at.uidOf(phone) } })
    assert.equal(posted.status, 303)
    await at.scene.quiet()
    for (let loads = 0; loads < 2; loads++) {
      const { text } = await at.after(here, posted)
      assert.match(text, /<p data-kind="told">Told: &#60;b&#62;Shop&#60;\/b&#62;&#34;\.<\/p>/)
      assert.match(text, /role="status">/)
    }
    assert.equal(await at.isLoggedIn(phone), false)
  })

  it('says that an app is still being told, and that it could not be reached', async () => {
    const phone = await at.loggedIn('alice', 'mail')
    at.scene.rps.mail.behave((_token, response) => void response.writeHead(503).end())
    const uid = await at.uidOf(phone)
    const posted = await at.page(here, '/sessions/end', { form: { id: uid } })
    const attempts = async (): Promise<number> => {
      const [end] = (await at.scene.logout.receipt(uid)).ends
      return end?.relyingParties[0]?.attempts ?? 0
    }
    while ((await attempts()) === 0) await new Promise((resolve) => setImmediate(resolve))
    const { text } = await at.after(here, posted)
    assert.match(text, /<p data-kind="telling">Still telling: Mail\.<\/p>/)
    assert.match(text, /data-ask="\/account\/sessions\/api\/ended\?reference=/)
    const goingOn = `${posted.headers.get('location')}&goes-on`
    assert.match((await at.page(here, goingOn)).text, /<p data-goes-on>It is much, and goes on/)
    at.scene.rps.mail.behave((_token, response) => void response.writeHead(200).end())
    await at.scene.logout.retry({ client: 'mail' })
    await at.scene.quiet()
    assert.match((await at.after(here, posted)).text, /<p data-kind="told">Told: Mail\.<\/p>/)
    assert.doesNotMatch((await at.page(here, goingOn)).text, /It is much/)
    const tablet = await at.loggedIn('alice', 'mail')
    at.scene.rps.mail.behave((_token, response) => void response.writeHead(410).end())
    const refused = await at.page(here, '/sessions/end', { form: { id: await at.uidOf(tablet) } })
    await at.scene.quiet()
    const shown = (await at.after(here, refused)).text
    assert.match(shown, /<p data-kind="unreached">Could not be reached: Mail\./)
    at.scene.rps.mail.behave((_token, response) => void response.writeHead(200).end())
  })

  it('takes an app’s access back by a form', async () => {
    const dave = await at.loggedIn('dave', 'shop', 'mail')
    const posted = await at.page(dave, '/apps/revoke', { form: { clientId: 'mail' } })
    assert.equal(posted.status, 303)
    await at.scene.quiet()
    const { text } = await at.after(dave, posted)
    assert.match(text, /<p data-kind="told">Told: Mail\.<\/p>/)
    assert.equal(text.includes('value="mail"'), false)
  })

  it('signs out everywhere but here by a form, and here as well', async () => {
    const [carol, phone] = [await at.loggedIn('carol', 'shop'), await at.loggedIn('carol', 'mail')]
    assert.equal((await at.page(carol, '/sessions/end-others', { form: {} })).status, 303)
    assert.deepEqual([await at.isLoggedIn(carol), await at.isLoggedIn(phone)], [true, false])
    const own = await at.page(carol, '/sessions/end', { form: { id: await at.uidOf(carol) } })
    const after = await at.after(carol, own)
    assert.equal(after.status, 200)
    assert.match(after.text, /<p role="status">You are signed out on this device\.<\/p>/)
    assert.match(after.text, /<a class="as-button" href="\/login">Log in<\/a>/)
  })

  it('tells nobody that he is signed out whose own session was not ended on it', async () => {
    const [erin, phone] = [await at.loggedIn('erin', 'shop'), await at.loggedIn('erin', 'mail')]
    const ofPhone = await at.page(erin, '/sessions/end', { form: { id: await at.uidOf(phone) } })
    const revoked = await at.page(erin, '/apps/revoke', { form: { clientId: 'shop' } })
    const others = await at.page(erin, '/sessions/end-others', { form: {} })
    const places = [ofPhone, revoked, others].map(({ headers }) => String(headers.get('location')))
    for (const place of [...places, '/?ended=anything', '/?ended']) {
      const { status, headers, text } = await at.page(phone, place)
      assert.deepEqual([status, headers.get('location'), text], [303, '/login', ''], place)
    }
  })

  it('sends whoever is not signed in to the login, and answers a form with a link to it', async () => {
    const looking = await at.page(undefined)
    assert.deepEqual([looking.status, looking.headers.get('location')], [303, '/login'])
    const posting = await at.page(undefined, '/sessions/end-others', { form: {} })
    assert.equal(posting.status, 401)
    assert.match(posting.text, /href="\/login"/)
  })

  it('says in the user’s words what went wrong', async () => {
    for (const [path, form, status, words] of [
      ['/sessions/end', { id: 'unknown' }, 404, /There is no such session/],
      ['/apps/revoke', { clientId: 'unknown' }, 404, /No such app has access/],
      ['/sessions/end', {}, 400, /was not understood/],
      ['/nothing', undefined, 404, /was not understood/],
      ['/sessions/end', undefined, 405, /was not understood/],
    ] as const) {
      const { status: answered, text } = await at.page(here, path, form ? { form } : {})
      assert.equal(answered, status, path)
      assert.match(text, words)
    }
  })

  it('is found with and without a slash at its end', async () => {
    const answer = await fetch(`${at.origin}/account/sessions`, { redirect: 'manual' })
    assert.deepEqual([answer.status, answer.headers.get('location')], [308, '/account/sessions/'])
  })
})

describe('the page of devices and apps, as an application wants it', () => {
  let at: AccountScene

  afterEach(() => at.stop())

  it('stands in the application’s layout, in its own words and language', async () => {
    at = await AccountScene.start({
      account: {
        basePath: '/konto',
        language: 'de-AT',
        texts: { title: 'Geräte und Apps', loggedIn: 'Angemeldet am {time}' },
        scopes: { openid: 'Wissen, wer du bist' },
        layout: ({ title, main, language, nonce, stylesheet, context }) =>
          `<!doctype html><html lang="${language}"><title>${title} · ${context.hostname}</title><style nonce="${nonce}"></style><link rel="stylesheet" href="${stylesheet}">${main}`,
      },
    })
    const { text, headers } = await at.page(await at.loggedIn('alice', 'shop'))
    assert.match(text, /^<!doctype html><html lang="de-AT"><title>Geräte und Apps · 127\.0\.0\.1<\/title>/)
    assert.match(text, /Wissen, wer du bist/)
    assert.match(text, /Angemeldet am <time datetime="[^"]+">\d{2}\.\d{2}\.\d{4}, \d{2}:\d{2} UTC<\/time>/)
    const [, nonce = ''] = /<style nonce="([^"]+)">/.exec(text) ?? []
    const policy = String(headers.get('Content-Security-Policy')).split('; ')
    assert.deepEqual(policy, [
      "default-src 'none'",
      `script-src 'self' 'nonce-${nonce}'`,
      `style-src 'self' 'nonce-${nonce}'`,
      "img-src 'self'",
      "connect-src 'self'",
      "form-action 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "require-trusted-types-for 'script'",
      "trusted-types 'none'",
      "font-src 'self'",
    ])
  })

  it('hides the application’s own clients, and does not revoke them', async () => {
    at = await AccountScene.start({ account: { ownClients: ['mail'] } })
    const here = await at.loggedIn('alice', 'shop', 'mail')
    assert.equal((await at.page(here)).text.includes('Mail'), false)
    assert.equal((await at.api(here, '/apps/revoke', { clientId: 'mail' })).status, 404)
  })

  it('ends all where it is not known which session is this browser’s', async () => {
    let who: SignedIn | undefined
    at = await AccountScene.start({ account: { authenticate: () => who } })
    const [here, phone] = [await at.loggedIn('alice', 'shop'), await at.loggedIn('alice', 'shop')]
    who = { accountId: 'alice', authenticatedAt: Date.now() }
    assert.match((await at.page(here)).text, /Sign out everywhere/)
    assert.equal((await at.api(here, '/sessions/end-others', {})).status, 200)
    assert.deepEqual([await at.isLoggedIn(here), await at.isLoggedIn(phone)], [false, false])
    const ended = await at.page(here, '/sessions/end-others', { form: {} })
    who = undefined
    assert.match((await at.after(here, ended)).text, /You are signed out on this device\./)
  })

  it('shows no session of another account, though the application names it', async () => {
    let who: SignedIn | undefined
    at = await AccountScene.start({ account: { authenticate: () => who } })
    const [alice, bob] = [await at.loggedIn('alice', 'shop'), await at.loggedIn('bob', 'shop')]
    who = { accountId: 'alice', sessionUid: await at.uidOf(bob), authenticatedAt: Date.now() }
    const { body } = await at.api(undefined, '/sessions')
    assert.deepEqual(
      body.sessions.map(({ id, isCurrent }: Record<string, unknown>) => [id, isCurrent]),
      [[await at.uidOf(alice), false]],
    )
    assert.equal((await at.api(undefined, '/sessions/end', { id: who.sessionUid })).status, 404)
    assert.equal(await at.isLoggedIn(bob), true)
  })

  it('shows what never expires, though no calendar goes so far', async () => {
    at = await AccountScene.start()
    const here = await at.loggedIn('alice', 'shop')
    const { Grant } = at.scene.op.provider
    const grant = new Grant({ accountId: 'alice', clientId: 'mail', ...{ exp: Number.MAX_SAFE_INTEGER } })
    grant.addOIDCScope('openid')
    await grant.save()
    const { status, text } = await at.page(here)
    assert.equal(status, 200)
    assert.match(text, /<h3>Mail<\/h3>/)
    const { body } = await at.api(here, '/apps')
    assert.deepEqual(
      body.apps.map(({ name, expiresAt }: Record<string, unknown>) => [name, typeof expiresAt]),
      [
        ['Mail', 'undefined'],
        ['Shop', 'number'],
      ],
    )
  })

  it('tells its users nothing of the database, though that cannot be reached', async () => {
    const store = new MemoryEventStore()
    let who: SignedIn | undefined
    at = await AccountScene.start({ store, account: { authenticate: () => who } })
    await at.loggedIn('alice', 'shop')
    who = { accountId: 'alice', authenticatedAt: Date.now() }
    const { end } = store
    store.end = () => Promise.reject(new StoreUnavailableError('MongoDB cannot be reached (10.1.2.3:27017)'))
    for (const [path, body] of [['/sessions'], ['/apps'], ['/sessions/end-others', {}]] as const) {
      const answer = await at.api(undefined, path, body)
      assert.deepEqual([answer.status, answer.body.error.code], [503, 'STORE_UNAVAILABLE'], path)
      assert.equal(JSON.stringify(answer.body).includes('10.1.2.3'), false)
    }
    const page = await at.page(undefined)
    assert.deepEqual([page.status, page.text.includes('10.1.2.3')], [503, false])
    store.end = end
  })

  it('sends nobody to what is neither a path of its own nor a web address', async () => {
    let login = ''
    at = await AccountScene.start({ account: { login: () => login } })
    for (const wrong of ['//other.example.com', '/\\other.example.com', '/\t/other.example.com', 'javascript:x', '']) {
      login = wrong
      assert.equal((await at.page(undefined)).status, 500, JSON.stringify(wrong))
    }
    login = '/login?a=/b'
    assert.equal((await at.page(undefined)).headers.get('location'), login)
  })

  it('knows nothing of an account of the same name at another issuer that shares the log', async () => {
    const store = new MemoryEventStore()
    at = await AccountScene.start({ store })
    const other = await AccountScene.start({ store })
    const here = await at.loggedIn('alice', 'shop')
    const theirs = [await other.loggedIn('alice', 'shop', 'mail'), await other.loggedIn('alice', 'shop')] as const
    const { body } = await at.api(here, '/sessions')
    assert.deepEqual(
      body.sessions.map(({ id }: { id: string }) => id),
      [await at.uidOf(here)],
    )
    assert.deepEqual(
      (await at.api(here, '/apps')).body.apps.map(({ clientId }: { clientId: string }) => clientId),
      ['shop'],
    )
    assert.equal((await at.api(here, '/sessions/end', { id: await other.uidOf(theirs[0]) })).status, 404)
    assert.equal((await at.api(here, '/apps/revoke', { clientId: 'mail' })).status, 404)
    assert.equal((await at.api(here, '/sessions/end-others', {})).status, 200)
    assert.equal((await at.api(here, '/apps/revoke', { clientId: 'shop' })).status, 200)
    assert.deepEqual(
      [
        await other.isLoggedIn(theirs[0], 'mail'),
        await other.isLoggedIn(theirs[1]),
        await grantIds(other, 'alice'),
      ].map((one) => (Array.isArray(one) ? one.length : one)),
      [true, true, 3],
    )
    const ended = await other.api(theirs[0], '/sessions/end', { id: await other.uidOf(theirs[1]) })
    assert.equal(ended.status, 200)
    assert.equal((await other.api(theirs[0], `/ended?reference=${ended.body.reference}`)).status, 200)
    assert.equal((await at.api(here, `/ended?reference=${ended.body.reference}`)).status, 404)
    await other.stop()
  })

  it('shows nothing where authenticate() answers with something that cannot be', async () => {
    let who: unknown
    at = await AccountScene.start({ account: { authenticate: () => who as SignedIn } })
    for (const wrong of [
      { accountId: '', authenticatedAt: Date.now() },
      { accountId: 7, authenticatedAt: Date.now() },
      { accountId: 'alice', authenticatedAt: Math.floor(Date.now() / 1_000) },
      { accountId: 'alice', authenticatedAt: Date.now() + 3_600_000 },
      { accountId: 'alice', authenticatedAt: Number.NaN },
      { accountId: 'alice', authenticatedAt: Date.now(), sessionUid: 1 },
    ]) {
      who = wrong
      assert.equal((await fetch(at.url('/api/sessions'))).status, 500, JSON.stringify(wrong))
    }
  })

  it('answers with 503 before the provider is started, and after it is stopped', async () => {
    at = await AccountScene.start()
    await at.scene.op.eventSourced.stop()
    assert.equal((await at.api(undefined, '/sessions')).body.error.code, 'PROVIDER_UNFIT')
  })

  it('lets people log in though it fails to describe the login, or takes its time', async () => {
    const clock = new FakeClock(Date.now())
    let describes: (ctx: object) => Promise<never>
    at = await AccountScene.start({ clock, account: { describe: (ctx) => describes(ctx) } })
    describes = () => Promise.reject(new Error('no'))
    const alice = await at.loggedIn('alice', 'shop')
    describes = () => {
      setImmediate(() => void clock.advance(2_000))
      return new Promise(() => {})
    }
    await at.loggedIn('alice', 'shop')
    const { body } = await at.api(alice, '/sessions')
    assert.deepEqual(
      body.sessions.map(({ userAgent }: Record<string, unknown>) => userAgent),
      [undefined, undefined],
    )
  })
})

function headersOf(headers: Headers): [string, string][] {
  return [...headers].filter(([name]) => name !== 'date')
}

function forms(text: string): number {
  return text.match(/<form /g)?.length ?? 0
}

async function grantIds({ scene }: AccountScene, account: string): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of scene.logout.grants({ account })) ids.push(id)
  return ids.sort()
}

async function stateOf(at: AccountScene, account: string): Promise<unknown> {
  const sessions: unknown[] = []
  for await (const session of at.scene.logout.sessions({ account })) sessions.push(session)
  return { sessions, grants: await grantIds(at, account) }
}
