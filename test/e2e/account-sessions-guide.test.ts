import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type Provider from 'oidc-provider'
import type { EventSourced, EventStore } from '../../lib/index.ts'
import { type AccountSessions, accountSessions } from '../../plugins/account-sessions/index.ts'
import { TEXTS } from '../../plugins/account-sessions/page/texts.ts'
import { backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { GuideCode } from '../support/guide-code.ts'
import { listen, Person } from '../support/op.ts'

const GUIDE = 'docs/guides/account-sessions.md'

type App = RequestListener & {
  callback(): RequestListener
  ready(): Promise<unknown>
  routing: RequestListener
  fetch: unknown
}

describe('the code of the guide for devices and apps, run as it stands', () => {
  let guide: GuideCode
  let provider: Provider
  let op: EventSourced
  let store: EventStore
  let folder: string
  const servers: Server[] = []

  before(async () => {
    guide = await GuideCode.read(GUIDE)
    folder = await mkdtemp(join(tmpdir(), 'eventstore-guide-'))
    const { info, warn } = console
    console.info = () => {}
    console.warn = () => {}
    const module = await guide
      .run('Set it up', { file: 'op.js', values: { "'./op-state'": JSON.stringify(folder) } })
      .finally(() => Object.assign(console, { info, warn }))
    provider = module['provider'] as Provider
    op = module['op'] as EventSourced
    store = module['store'] as EventStore
  })

  after(async () => {
    await op?.stop()
    await store?.close()
    await guide.remove()
    await rm(folder, { recursive: true, force: true })
  })

  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })

  const listeners: Readonly<Record<string, (app: App) => RequestListener | Promise<RequestListener>>> = {
    Koa: (app) => app.callback(),
    Express: (app) => app,
    async Fastify(app) {
      await app.ready()
      return (request, response) => app.routing(request, response)
    },
    // The provider of the guide is beside it.
    Hono(app) {
      const { getRequestListener } = createRequire(import.meta.url)('@hono/node-server') as {
        getRequestListener(fetch: unknown): RequestListener
      }
      const [page, others] = [getRequestListener(app.fetch), provider.callback()]
      return (request, response) => (request.url?.startsWith('/account/') ? page : others)(request, response)
    },
  }

  for (const [framework, listener] of Object.entries(listeners)) {
    it(`shows the page to whoever has logged in at the OP, in ${framework}, and ends what it shows`, async () => {
      const module = await guide.run(`Mount it in ${framework}`, { file: `${framework.toLowerCase()}.js` })
      const server = createServer(await listener(module['app'] as App))
      servers.push(server)
      const issuer = `http://127.0.0.1:${await listen(server, 0)}`
      const page = `${issuer}/account/sessions/`
      const [here, other] = [new Person({ issuer }), new Person({ issuer })]
      const nobody = await here.agent.get(page)
      assert.equal(nobody.status, 303)
      assert.match(String(nobody.headers.get('location')), /^https:\/\/op\.example\.com\/auth\?client_id=account-page&/)
      for (const person of [here, other])
        await person.authorize('shop', { redirect_uri: 'https://shop.example.com/cb', login: framework })
      const { text } = await here.agent.get(page)
      assert.match(text, /This device/)
      assert.match(text, /127\.0\.0\.1/)
      const posted = await here.agent.post(`${page}sessions/end-others`, {}, { Origin: issuer })
      assert.equal(posted.status, 303)
      const after = await here.agent.follow(posted)
      assert.equal(after.text.match(/class="as-card"/g)?.length, 2, 'this session, and the app')
      assert.match(after.text, /Cannot be told: Shop\./)
      assert.equal((await other.agent.get(page)).status, 303)
    })
  }

  it('dresses the page', async () => {
    const { look } = await guide.run('Its look and its words', { file: 'look.js' })
    const account: AccountSessions<unknown> = accountSessions({
      logout: backChannelLogout(),
      authenticate: () => undefined,
      login: '/login',
      ...(look as object),
    })
    assert.equal(account.name, 'account_sessions')
  })

  it('leaves out none of it', () => assert.deepEqual(guide.leftOut, []))
})

describe('the guide for devices and apps', () => {
  it('lists each option', async () => {
    const text = await readFile(new URL(`../../${GUIDE}`, import.meta.url), 'utf8')
    const section = text.slice(text.indexOf('## Options'))
    const cells = [...section.matchAll(/^\| ([^|]+) \|/gm)].map(([, cell = '']) => cell)
    const listed = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name))
    const unknown = { no: 'option' } as never
    assert.throws(
      () => accountSessions(unknown),
      (error: Error) => {
        const [, known = ''] = /known are (.*)$/.exec(error.message) ?? []
        assert.deepEqual(listed.sort(), known.split(', ').sort())
        return true
      },
    )
  })

  it('has all texts in braces that the page fills', () => {
    const filled = Object.values(TEXTS).flatMap((text: string) => text.match(/\{\w+\}/g) ?? [])
    assert.deepEqual([...new Set(filled)].sort(), ['{apps}', '{claims}', '{count}', '{resource}', '{scopes}', '{time}'])
  })
})
