import assert from 'node:assert/strict'
import { request as httpRequest, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { bodyParser } from '@koa/bodyparser'
import Koa from 'koa'
import mount from 'koa-mount'
import {
  backChannelLogoutReceiver,
  type KoaLogoutContext,
  type KoaReceiverOptions,
  type LogoutNotice,
  MemoryReplayStore,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { type TestIssuer, testIssuer } from './receiver-issuer.ts'

describe('the Koa middleware', () => {
  let op: TestIssuer
  let servers: Server[]
  let notices: LogoutNotice[]
  let failing: boolean
  let options: KoaReceiverOptions

  before(async () => {
    op = await testIssuer()
  })

  beforeEach(() => {
    servers = []
    notices = []
    failing = false
    options = {
      ...op.options,
      onLogout: async (notice) => {
        notices.push(notice)
        if (failing) throw new Error('session store down')
      },
    }
  })

  afterEach(async () => {
    for (const server of servers) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })

  async function listen(app: Pick<Koa, 'listen'>): Promise<string> {
    const server = app.listen(0, '127.0.0.1')
    servers.push(server)
    await new Promise((resolve) => server.once('listening', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  const receiver = (more: Partial<KoaReceiverOptions> = {}): Promise<string> =>
    listen(silent().use(backChannelLogoutReceiver({ ...options, ...more })))

  async function post(url: string, body: NonNullable<RequestInit['body']>, init: RequestInit = {}): Promise<Response> {
    return fetch(url, { method: 'POST', body, ...init })
  }

  const form = async (): Promise<URLSearchParams> => new URLSearchParams({ logout_token: await op.token() })

  it('answers 200, without a body, once onLogout is done', async () => {
    const response = await post(await receiver(), await form())
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('cache-control'), 'no-store')
    assert.equal(await response.text(), '')
    assert.deepEqual(
      notices.map(({ sub, sid }) => [sub, sid]),
      [['alice', 'session-1']],
    )
  })

  it('answers 400 with a JSON error for a forged token', async () => {
    const response = await post(
      await receiver(),
      new URLSearchParams({ logout_token: await op.token({ claims: { aud: 'other' } }) }),
    )
    assert.equal(response.status, 400)
    assert.equal(response.headers.get('cache-control'), 'no-store')
    assert.match(response.headers.get('content-type') ?? '', /^application\/json/)
    const body = (await response.json()) as Record<string, string>
    assert.equal(body.error, 'invalid_request')
    assert.match(body.error_description ?? '', /^audience_mismatch: /)
    assert.equal(notices.length, 0)
  })

  it('answers 405 and names POST', async () => {
    for (const method of ['GET', 'PUT', 'DELETE', 'HEAD', 'OPTIONS']) {
      const response = await fetch(await receiver(), { method })
      assert.equal(response.status, 405)
      assert.equal(response.headers.get('allow'), 'POST')
      assert.equal(response.headers.get('cache-control'), 'no-store')
    }
  })

  it('answers 415 for any other content type', async () => {
    const response = await post(await receiver(), JSON.stringify({ logout_token: await op.token() }), {
      headers: { 'content-type': 'application/json' },
    })
    assert.equal(response.status, 415)
    assert.equal(response.headers.get('cache-control'), 'no-store')
  })

  it('answers 413 to a large body, sent with and without a length, and is seen by the sender', async () => {
    const url = await receiver()
    const large = `logout_token=${'a'.repeat(512 * 1024)}`
    for (const chunked of [false, true]) {
      const response = await send(url, large, chunked)
      assert.deepEqual(response, { status: 413, cacheControl: 'no-store', connection: 'close' })
    }
    assert.equal((await post(url, await form())).status, 200)
  })

  it('answers 503 with Retry-After when onLogout fails, and 200 when the same token comes again', async () => {
    const url = await receiver({ replayStore: new MemoryReplayStore() })
    const body = await form()
    failing = true
    const response = await post(url, body)
    assert.equal(response.status, 503)
    assert.equal(response.headers.get('retry-after'), '5')
    assert.equal(response.headers.get('cache-control'), 'no-store')
    failing = false
    assert.equal((await post(url, body)).status, 200)
    assert.equal((await post(url, body)).status, 400)
    assert.equal(notices.length, 2)
  })

  it('works behind a body parser, which takes the body first', async () => {
    const url = await listen(silent().use(bodyParser()).use(backChannelLogoutReceiver(options)))
    assert.equal((await post(url, await form())).status, 200)
    const twice = await form()
    twice.append('logout_token', await op.token())
    assert.equal((await post(url, twice)).status, 400)
    assert.equal(notices.length, 1)
  })

  it('works behind a body parser that leaves forms alone', async () => {
    const url = await listen(
      silent()
        .use(bodyParser({ enableTypes: ['json'] }))
        .use(backChannelLogoutReceiver(options)),
    )
    assert.equal((await post(url, await form())).status, 200)
    const emptied: Koa.Middleware = (ctx, next) => {
      Object.assign(ctx.request, { body: {} })
      return next()
    }
    assert.equal(
      (await post(await listen(silent().use(emptied).use(backChannelLogoutReceiver(options))), await form())).status,
      200,
    )
    assert.equal(notices.length, 2)
  })

  describe('reads the body where it is', () => {
    /** As much of a context as is used. */
    async function statusOf(body: unknown, req: { text?: string; readableDidRead?: boolean }): Promise<number> {
      async function* chunks(): AsyncGenerator<string> {
        assert.notEqual(req.text, undefined, 'the request is not to be read')
        yield String(req.text)
      }
      const ctx: KoaLogoutContext = {
        method: 'POST',
        path: '/',
        req: Object.assign(chunks(), { readableDidRead: req.readableDidRead ?? false }),
        request: { length: undefined, body },
        app: { emit: () => assert.fail('no 503') },
        status: 404,
        body: undefined,
        get: () => 'application/x-www-form-urlencoded',
        set() {},
      }
      await backChannelLogoutReceiver(options)(ctx, () => assert.fail())
      return ctx.status
    }
    const encoded = async (): Promise<string> => (await form()).toString()

    it('in what another middleware has put there, without having read the request', async () => {
      assert.equal(await statusOf(await encoded(), {}), 200)
      assert.equal(await statusOf({ logout_token: await op.token() }, {}), 200)
      assert.equal(await statusOf({ logout_token: await op.token(), more: '1' }, {}), 200)
      assert.equal(notices.length, 3)
    })

    it('in the request, when nobody has put anything there', async () => {
      for (const nothing of [undefined, null, {}, 7, true]) {
        assert.equal(await statusOf(nothing, { text: await encoded() }), 200)
      }
      assert.equal(notices.length, 5)
    })

    it('nowhere, when the request was read and nothing was left', async () => {
      for (const nothing of [undefined, null, {}, '']) {
        assert.equal(await statusOf(nothing, { readableDidRead: true }), 400)
      }
      assert.equal(await statusOf({ logout_token: await op.token() }, { readableDidRead: true }), 200)
    })
  })

  it('handles its path alone, and leaves the rest to others', async () => {
    const app = silent().use(backChannelLogoutReceiver({ ...options, path: '/logout' }))
    app.use((ctx) => {
      ctx.body = 'next'
    })
    const url = await listen(app)
    assert.equal((await post(`${url}/logout?x=1`, await form())).status, 200)
    assert.equal(await (await fetch(`${url}/logout/`)).text(), 'next')
    assert.equal(await (await post(`${url}/`, await form())).text(), 'next')
    assert.equal(notices.length, 1)
  })

  it('works below koa-mount', async () => {
    const url = await listen(silent().use(mount('/logout', backChannelLogoutReceiver(options))))
    assert.equal((await post(`${url}/logout`, await form())).status, 200)
    assert.equal((await post(`${url}/other`, await form())).status, 404)
  })

  it('hands each failure to onFailure, and calls it for nothing else', async () => {
    const seen: string[] = []
    const url = await receiver({ onFailure: (error, ctx) => seen.push(`${ctx.status} ${error?.name}`) })
    await post(url, await form())
    await post(url, 'logout_token=x', { headers: { 'content-type': 'application/x-www-form-urlencoded' } })
    assert.equal((await fetch(url)).status, 405)
    failing = true
    await post(url, await form())
    assert.deepEqual(seen, ['400 LogoutTokenError', '503 Error'])
  })

  it('emits a 503, and no 400, as an error of the application when there is no onFailure', async () => {
    const seen: string[] = []
    const app = silent().use(backChannelLogoutReceiver(options))
    app.on('error', (error: Error) => seen.push(error.message))
    const url = await listen(app)
    await post(url, new URLSearchParams({ logout_token: 'x' }))
    failing = true
    assert.equal((await post(url, await form())).status, 503)
    assert.deepEqual(seen, ['session store down'])
  })
})

function silent(): Koa {
  const app = new Koa()
  app.silent = true
  return app
}

/** Through node:http, which sees an answer that arrives while the request is still being written. */
function send(
  url: string,
  body: string,
  chunked: boolean,
): Promise<{ status: number | undefined; cacheControl: unknown; connection: unknown }> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      ...(!chunked && { 'content-length': `${body.length}` }),
    }
    const request = httpRequest(url, { method: 'POST', headers }, (response) => {
      response.resume().on('end', () => {
        const { 'cache-control': cacheControl, connection } = response.headers
        resolve({ status: response.statusCode, cacheControl, connection })
      })
    }).on('error', reject)
    for (let at = 0; at < body.length; at += 16 * 1024) request.write(body.slice(at, at + 16 * 1024))
    request.end()
  })
}
