import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createRequestListener } from '@remix-run/node-fetch-server'
import express from 'express'
import { fastify } from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { silent } from '../../lib/index.ts'
import type { LiveHello, Me } from '../../plugins/admin-console/api/contract.ts'
import { type AdminConsole, type AdminConsoleOptions, adminConsole } from '../../plugins/admin-console/index.ts'
import { BuiltAssets } from '../support/console-scene.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { listen } from '../support/op.ts'

type Parts = Pick<AdminConsoleOptions<never>, 'op' | 'logout' | 'store' | 'assets' | 'basePath' | 'logger'>

/** What each framework's request says of who has sent it, and how the console is mounted. */
const FRAMEWORKS: Readonly<
  Record<string, (parts: Parts) => Promise<{ console: { close(): void }; listener: RequestListener }>>
> = {
  async Koa(parts) {
    const site = adminConsole<Koa.Context>({ ...parts, authorize: (ctx) => operator(ctx.get('x-operator')) })
    return { console: site, listener: new Koa().use(site.koa).callback() }
  },
  async Express(parts) {
    const site = adminConsole<express.Request>({
      ...parts,
      authorize: (request) => operator(request.get('x-operator')),
    })
    return { console: site, listener: express().use(site.node) }
  },
  async Fastify(parts) {
    const authorize = ({ headers }: { readonly headers: Readonly<Record<string, unknown>> }) =>
      operator(headers['x-operator'])
    const site = adminConsole<{ readonly headers: Readonly<Record<string, unknown>> }>({ ...parts, authorize })
    const app = fastify()
    site.fastify(app)
    await app.ready()
    return { console: site, listener: (request, response) => void app.routing(request, response) }
  },
  async Hono(parts) {
    const site: AdminConsole<Request> = adminConsole<Request>({
      ...parts,
      authorize: (request) => operator(request.headers.get('x-operator')),
    })
    const app = new Hono()
    app.use(async (context, next) => (await site.fetch(context.req.raw, context.req.raw)) ?? next())
    return { console: site, listener: createRequestListener((request: Request) => app.fetch(request)) }
  },
}

function operator(header: unknown): { readonly name: string; readonly role: 'operator' } | undefined {
  return typeof header === 'string' && header !== '' ? { name: header, role: 'operator' } : undefined
}

for (const [framework, mounted] of Object.entries(FRAMEWORKS)) {
  describe(`the console in ${framework}`, () => {
    let scene: LogoutScene<'shop'>
    let server: Server
    let base: string
    let site: { close(): void }
    const assets = new BuiltAssets()

    before(async () => {
      scene = await LogoutScene.start({ shop: {} })
      const { store, logout } = scene
      const parts = { op: scene.op.eventSourced, store, logout, assets: assets.folder, logger: silent }
      const { console, listener } = await mounted({ ...parts, basePath: '/ops/console' })
      site = console
      server = createServer(listener)
      base = `http://127.0.0.1:${await listen(server, 0)}/ops/console`
    })
    after(async () => {
      site.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await scene.stop()
      assets.remove()
    })

    const headers = { 'x-operator': 'anna', 'Sec-Fetch-Site': 'same-origin' }

    it('answers its pages, its assets and its API, and leaves the rest to the application', async () => {
      const page = await fetch(`${base}/logouts`, { headers })
      assert.ok((await page.text()).includes('content="/ops/console"'))
      assert.equal((await fetch(`${base}/logouts`)).status, 401)
      assert.equal(await (await fetch(`${base}/assets/console-1.js`)).text(), '/* console-1.js */')
      const me = (await (await fetch(`${base}/api/me`, { headers })).json()) as Me
      assert.equal(me.name, 'anna')
      const elsewhere = await fetch(base.replace('/ops/console', '/ops'), { headers })
      assert.equal(elsewhere.status, 404)
    })

    it('takes JSON, records the operator, and refuses what comes from another origin', async () => {
      const body = JSON.stringify({ client: 'shop' })
      const pause = (more: object) =>
        fetch(`${base}/api/clients/pause`, {
          method: 'POST',
          body,
          headers: { ...headers, 'Content-Type': 'application/json', ...more },
        })
      assert.equal((await pause({ 'Sec-Fetch-Site': 'cross-site' })).status, 403)
      assert.equal((await pause({ 'Content-Type': 'text/plain' })).status, 415)
      assert.equal((await pause({})).status, 200)
      assert.equal((await scene.logout.paused())[0]?.actor, 'anna')
    })

    it('streams what happens, and lets the server stop', async () => {
      const live = await fetch(`${base}/api/live`, { headers })
      assert.match(String(live.headers.get('content-type')), /^text\/event-stream/)
      assert.ok(live.body)
      const reader = live.body.pipeThrough(new TextDecoderStream()).getReader()
      let text = ''
      while (!text.includes('event: hello')) text += (await reader.read()).value ?? ''
      const hello = JSON.parse(/data: (.*)\n/.exec(text)?.[1] ?? '{}') as LiveHello
      assert.equal(hello.position, await scene.store.end())
      site.close()
      while (!(await reader.read()).done);
    })
  })
}
