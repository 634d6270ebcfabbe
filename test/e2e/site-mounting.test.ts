import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { formBody } from '../../lib/web/form-body.ts'
import { jsonBody } from '../../lib/web/json-body.ts'
import { isSameOrigin } from '../../lib/web/same-origin.ts'
import { Site } from '../../lib/web/site.ts'
import { asWebError, errorResponse, WebError } from '../../lib/web/web-error.ts'
import { type AnySite, mountedSite, type SiteServer, siteMountings } from '../support/site-mountings.ts'

/** What the site's own streams tell a test. */
interface Streams {
  /** Resolves when the client's end of the endless stream has arrived. */
  readonly cancelled: Promise<void>
  cancel(): void
}

function streams(): Streams {
  let cancel = (): void => {}
  const cancelled = new Promise<void>((resolve) => {
    cancel = resolve
  })
  return { cancelled, cancel: () => cancel() }
}

/** Answers with what it has understood. */
function echo(seen: Streams, failures: unknown[] = []): AnySite {
  return new Site<unknown>({
    basePath: '/my/site',
    unforeseen: (error, { method }, path) => failures.push([(error as Error).message, method, path]),
    async answer(request, path) {
      try {
        return await answerOf(request, path, seen)
      } catch (error) {
        const known = asWebError(error)
        if (!known) throw error
        return errorResponse(known)
      }
    },
  })
}

async function answerOf(request: Request, path: string, seen: Streams): Promise<Response> {
  const { search } = new URL(request.url)
  switch (path) {
    case '':
      return new Response(null, { status: 302, headers: { Location: '/my/site/' } })
    case '/cookies': {
      const headers = new Headers()
      headers.append('Set-Cookie', 'a=1')
      headers.append('Set-Cookie', 'b=2')
      return new Response('two', { headers })
    }
    case '/json':
      return Response.json(await jsonBody(request))
    case '/form':
      return Response.json({ ...(await formBody(request)), isSameOrigin: isSameOrigin(request) })
    case '/stream':
      return new Response(ReadableStream.from(['one ', 'two ', 'three'].map((part) => Buffer.from(part))))
    case '/endless':
      return new Response(
        new ReadableStream({
          start: (controller) => controller.enqueue(Buffer.from('first')),
          cancel: () => seen.cancel(),
        }),
      )
    case '/torn':
      return new Response(
        ReadableStream.from(
          (async function* () {
            yield Buffer.from('first')
            throw new Error('the source failed')
          })(),
        ),
      )
    case '/known':
      throw new WebError(409, 'KNOWN', 'this is known')
    case '/unforeseen':
      throw new Error('a secret')
    default:
      return Response.json({ method: request.method, path, search })
  }
}

for (const [way, mounting] of Object.entries(siteMountings)) {
  describe(`a site that is mounted in ${way}`, () => {
    let seen: Streams
    let at: SiteServer
    let failures: unknown[]

    beforeEach(async () => {
      seen = streams()
      failures = []
      at = await mountedSite(mounting, echo(seen, failures))
    })
    afterEach(() => at.stop())

    const url = (path: string): string => `${at.origin}/my/site${path}`

    it('answers below its path, with the query, and leaves the rest to the application', async () => {
      const answer = await fetch(url('/some/thing?a=1&b=2'))
      assert.deepEqual(await answer.json(), { method: 'GET', path: '/some/thing', search: '?a=1&b=2' })
      const base = await fetch(url(''), { redirect: 'manual' })
      assert.deepEqual([base.status, base.headers.get('location')], [302, '/my/site/'])
      for (const path of ['/', '/other', '/my/sites', '/my/sit', '/my/site%2fthing', '/MY/SITE/']) {
        const others = await fetch(`${at.origin}${path}`)
        assert.deepEqual([others.status, await others.text()], [404, 'the application'], path)
      }
    })

    it('takes no path for its own that leads out of it', async () => {
      const answer = await raw(at, 'GET /my/site/../../secret HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
      assert.match(answer, /^HTTP\/1\.1 404 /)
    })

    it('sends each cookie as a header of its own', async () => {
      assert.deepEqual((await fetch(url('/cookies'))).headers.getSetCookie(), ['a=1', 'b=2'])
    })

    it('reads JSON', async () => {
      const answer = await post(url('/json'), 'application/json; charset=utf-8', '{"name":"Zoë","deep":{"list":[1]}}')
      assert.deepEqual([answer.status, answer.body], [200, { name: 'Zoë', deep: { list: [1] } }])
    })

    it('reads a form, and says whether its own page has sent it', async () => {
      const form = 'name=Zo%C3%AB+%26+co&empty=&id=a%3Db'
      const type = 'application/x-www-form-urlencoded'
      const own = await post(url('/form'), type, form, { Origin: at.origin })
      assert.deepEqual(own, { status: 200, body: { name: 'Zoë & co', id: 'a=b', isSameOrigin: true } })
      const other = await post(url('/form'), type, form, { Origin: 'https://other.example.com' })
      assert.deepEqual(other.body, { name: 'Zoë & co', id: 'a=b', isSameOrigin: false })
    })

    it('refuses a body that is too large, and a type that it does not take', async () => {
      const large = await post(url('/json'), 'application/json', JSON.stringify({ name: 'x'.repeat(20_000) }))
      assert.deepEqual([large.status, codeOf(large.body)], [413, 'BODY_TOO_LARGE'])
      const form = await post(url('/form'), 'application/x-www-form-urlencoded', `name=${'x'.repeat(20_000)}`)
      assert.deepEqual([form.status, codeOf(form.body)], [413, 'BODY_TOO_LARGE'])
      const text = await post(url('/json'), 'text/plain', '{}')
      assert.deepEqual([text.status, codeOf(text.body)], [415, 'NOT_JSON'])
    })

    it('answers HEAD as GET, without the body, and ends the stream', async () => {
      const answer = await fetch(url('/endless'), { method: 'HEAD' })
      assert.deepEqual([answer.status, await answer.text()], [200, ''])
      await seen.cancelled
    })

    it('sends a stream as it comes', async () => {
      assert.equal(await (await fetch(url('/stream'))).text(), 'one two three')
    })

    it('ends its stream when the client goes away', async () => {
      const asking = request(url('/endless'))
      asking.on('error', () => {})
      asking.end()
      const [answer] = (await once(asking, 'response')) as [NodeJS.ReadableStream]
      assert.equal(String((await once(answer, 'data'))[0]), 'first')
      asking.destroy()
      await seen.cancelled
      assert.deepEqual(at.errors, [])
    })

    it('breaks the connection where a stream fails on the way: a part is not taken for the whole', async () => {
      await assert.rejects(async () => (await fetch(url('/torn'))).text())
    })

    it('answers errors that it knows, and tells of those that nobody foresaw the site alone', async () => {
      const known = await fetch(url('/known'))
      assert.deepEqual(
        [known.status, await known.json()],
        [409, { error: { code: 'KNOWN', message: 'this is known' } }],
      )
      const unforeseen = await fetch(url('/unforeseen'))
      const message = 'the request failed in an unforeseen way'
      assert.deepEqual([unforeseen.status, await unforeseen.json()], [500, { error: { code: 'INTERNAL', message } }])
      assert.deepEqual(failures, [['a secret', 'GET', '/unforeseen']])
      assert.deepEqual(at.errors, [])
    })

    it('refuses a request for a host that is none', async () => {
      for (const host of ['a b', '[', 'a/b?c', 'other@a'])
        assert.match(
          await raw(at, `GET /my/site/ HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
          /^HTTP\/1\.1 400 /,
          host,
        )
    })
  })
}

describe('a site on a server of its own', () => {
  it('answers for what is not its own, and for what nobody foresaw', async () => {
    const mounting = (site: AnySite) => (request: never, response: never) => site.node(request, response)
    const at = await mountedSite(mounting as never, echo(streams()))
    try {
      for (const [path, status, code] of [
        ['/other', 404, 'NOT_FOUND'],
        ['/my/site/unforeseen', 500, 'INTERNAL'],
      ] as const) {
        const answer = await fetch(at.origin + path)
        assert.deepEqual([answer.status, codeOf(await answer.json())], [status, code])
      }
    } finally {
      await at.stop()
    }
  })

  it('prints what nobody foresaw, where nothing else is told of it', async () => {
    const site = new Site<unknown>({ basePath: '/my/site', answer: () => Promise.reject(new Error('a secret')) })
    const lines: unknown[] = []
    const { error } = console
    console.error = (line: unknown) => lines.push(line)
    try {
      const answer = await site.fetch(new Request('https://op.example.com/my/site/page?code=c'), undefined)
      assert.deepEqual([answer?.status, codeOf(await answer?.json())], [500, 'INTERNAL'])
    } finally {
      console.error = error
    }
    assert.match(String(lines), /ERROR site_failed: .*"method":"GET","path":"\/page"/)
  })

  it('may have all of it, and takes no path for a host', async () => {
    const site = new Site<unknown>({
      basePath: '/',
      answer: async (request, path) => Response.json({ host: new URL(request.url).host, path }),
    })
    const at = await mountedSite((own) => (request, response) => own.node(request, response), site)
    try {
      const { host } = new URL(at.origin)
      assert.deepEqual(await (await fetch(`${at.origin}/a`)).json(), { host, path: '/a' })
      const answer = await raw(at, `GET //other.example.com/a HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
      assert.ok(answer.includes(JSON.stringify({ host, path: '//other.example.com/a' })), answer)
      const absolute = await raw(
        at,
        `GET http://other.example.com/a HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      )
      assert.match(absolute, /^HTTP\/1\.1 404 /)
    } finally {
      await at.stop()
    }
  })

  it('ends the stream of an answer for which nobody waits any more', async () => {
    const seen = streams()
    let answering = (): void => {}
    const asked = new Promise<void>((resolve) => {
      answering = resolve
    })
    const site = new Site<unknown>({
      basePath: '/my/site',
      async answer(request) {
        answering()
        await once(request.signal, 'abort')
        return new Response(new ReadableStream({ cancel: () => seen.cancel() }))
      },
    })
    const at = await mountedSite((own) => (request, response) => own.node(request, response), site)
    try {
      const asking = request(`${at.origin}/my/site/`)
      asking.on('error', () => {})
      asking.end()
      await asked
      asking.destroy()
      await seen.cancelled
    } finally {
      await at.stop()
    }
  })
})

/** Sends bytes as they are, and reads until the server closes. */
async function raw({ origin }: SiteServer, bytes: string): Promise<string> {
  const { hostname, port } = new URL(origin)
  const socket = connect(Number(port), hostname)
  socket.end(bytes)
  let answer = ''
  for await (const chunk of socket) answer += String(chunk)
  return answer
}

async function post(
  url: string,
  type: string,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly body: unknown }> {
  const answer = await fetch(url, { method: 'POST', headers: { 'Content-Type': type, ...headers }, body })
  return { status: answer.status, body: await answer.json() }
}

function codeOf(body: unknown): unknown {
  return (body as { error?: { code?: unknown } }).error?.code
}
