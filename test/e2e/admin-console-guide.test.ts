import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createRequestListener } from '@remix-run/node-fetch-server'
import type { FastifyInstance } from 'fastify'
import type { Hono } from 'hono'
import type Koa from 'koa'
import type { EventSourced, EventStore } from '../../lib/index.ts'
import type { Me } from '../../plugins/admin-console/api/contract.ts'
import type { AdminConsole } from '../../plugins/admin-console/index.ts'
import { BuiltAssets } from '../support/console-scene.ts'
import { GuideCode } from '../support/guide-code.ts'
import { listen, withoutNotices } from '../support/op.ts'

const COOKIE = 'a cookie of yours'

describe('the code of the guide to the operators’ console, run as it stands', () => {
  let guide: GuideCode
  let first: Record<string, unknown>
  const assets = new BuiltAssets()
  const servers: Server[] = []

  /** A folder of the tests' own: the guide's code looks for the built pages. */
  const built = { 'adminConsole({': `adminConsole({ assets: ${JSON.stringify(assets.folder)},` }

  before(async () => {
    guide = await GuideCode.read('docs/guides/admin-console.md')
    first = await withoutNotices(() => guide.run('Mount it in Koa', { file: 'koa.js', values: built }))
    ;(first['signedIn'] as Map<string, object>).set('v', { name: 'vera', role: 'viewer' })
  })
  after(async () => {
    for (const server of servers) await new Promise((resolve) => server.close(resolve))
    ;(first['operators'] as AdminConsole<unknown>).close()
    await (first['op'] as EventSourced).stop()
    await (first['store'] as EventStore).close()
    await guide.remove()
    assets.remove()
  })

  async function served(listener: RequestListener): Promise<string> {
    const server = createServer({ keepAliveTimeout: 1 }, listener)
    servers.push(server)
    return `http://127.0.0.1:${await listen(server, 0)}/admin`
  }

  async function lets(listener: RequestListener, headers: Record<string, string>): Promise<void> {
    const base = await served(listener)
    const me = await fetch(`${base}/api/me`, { headers })
    assert.equal(((await me.json()) as Me).name, 'anna')
    assert.equal((await fetch(`${base}/api/me`)).status, 401)
  }

  it('works in Koa, and sends strangers to the sign-in', async () => {
    const { app } = first as { readonly app: Koa }
    const listener = app.callback()
    await lets(listener, { cookie: `staff=${COOKIE}` })
    const page = await fetch(await served(listener), { redirect: 'manual' })
    assert.equal(page.headers.get('location'), '/staff/sign-in')
  })

  it('works in Express', async () => {
    const { app } = await guide.run('Express', { file: 'express.js', values: built })
    await lets(app as RequestListener, { 'x-staff': COOKIE })
  })

  it('works in Fastify', async () => {
    const { app } = (await guide.run('Fastify', { file: 'fastify.js', values: built })) as { app: FastifyInstance }
    await app.ready()
    await lets((request, response) => void app.routing(request, response), { 'x-staff': COOKIE })
  })

  it('works in Hono', async () => {
    const { app } = (await guide.run('Hono, and whatever has fetch', { file: 'hono.js', values: built })) as {
      app: Hono
    }
    await lets(
      createRequestListener((request: Request) => app.fetch(request)),
      { 'x-staff': COOKIE },
    )
  })

  it('is all run', () => assert.deepEqual(guide.leftOut, []))
})
