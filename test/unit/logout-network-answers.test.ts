import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { Answer } from '../../plugins/back-channel-logout/network/answer.ts'
import { guardedNetwork, type Network } from '../../plugins/back-channel-logout/network/network.ts'
import { type Answering, answering, connecting } from '../support/answering.ts'
import { selfSigned } from '../support/self-signed.ts'

describe('an RP', () => {
  let network: Network
  let rp: Answering | undefined

  beforeEach(() => {
    network = guardedNetwork({ timeoutMs: 5_000 })
  })

  afterEach(async () => {
    await network.close()
    await rp?.stop()
    rp = undefined
  })

  function post(url: string, signal: AbortSignal = new AbortController().signal): Promise<Answer> {
    return network.post(url, { logout_token: 'a.b.c' }, { inside: true, signal })
  }

  async function failed(answer: Promise<Answer>, pattern: RegExp): Promise<void> {
    const made = await answer
    assert.ok(made.kind === 'failed', JSON.stringify(made))
    assert.match(made.error, pattern)
    assert.ok(made.error.length <= 500 && !made.error.includes('\n'))
  }

  it('gets the token as a form (section 2.5)', async () => {
    rp = await answering((response) => response.writeHead(204).end())
    assert.deepEqual(await post(rp.origin), { kind: 'answered', status: 204, body: '' })
    const [request] = rp.requests
    assert.equal(request?.headers['content-type'], 'application/x-www-form-urlencoded')
    assert.equal(request?.body, 'logout_token=a.b.c')
  })

  it('is asked at its own address, not to compress what it says, and told who asks', async () => {
    rp = await answering((response, { url }) => response.writeHead(200).end(url))
    assert.deepEqual(await post(`${rp.origin}/a%20b?c=d`), { kind: 'answered', status: 200, body: '/a%20b?c=d' })
    const [request] = rp.requests
    assert.equal(request?.headers['accept-encoding'], 'identity')
    assert.equal(request?.headers['user-agent'], 'oidc-provider-eventstore')
  })

  it('that redirects is not followed', async () => {
    const other = await answering((response) => response.writeHead(200).end())
    rp = await answering((response) => response.writeHead(307, { location: other.origin }).end('over there'))
    assert.deepEqual(await post(rp.origin), { kind: 'answered', status: 307, body: 'over there' })
    assert.equal(other.connections, 0)
    await other.stop()
  })

  const NO_CONTENT = 'HTTP/1.1 204 No Content\r\n\r\n'
  for (const [what, interim] of [
    ['100, unasked', ['HTTP/1.1 100 Continue\r\n\r\n']],
    ['100 with fields, twice', ['HTTP/1.1 100 Continue\r\nx: y\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n']],
    ['100 without a reason', ['HTTP/1.1 100\r\n\r\n']],
    ['102', ['HTTP/1.1 102 Processing\r\n\r\n']],
    ['103, then 100', ['HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n', 'HTTP/1.1 100 Continue\r\n\r\n']],
    ['100, byte by byte', [...'HTTP/1.1 100 Continue\r\nx: y\r\n\r\n']],
  ] as const) {
    it(`may say ${what}, before it answers`, async () => {
      const server = createTcpServer((socket) => {
        socket.setNoDelay(true)
        socket.on('error', () => {})
        socket.on('data', async () => {
          for (const part of interim) {
            socket.write(part)
            await new Promise((resolve) => setImmediate(resolve))
          }
          socket.write(NO_CONTENT)
        })
      })
      const origin = await listening(server)
      try {
        // The second request goes over the same connection.
        for (let request = 0; request < 2; request++)
          assert.deepEqual(await post(origin), { kind: 'answered', status: 204, body: '' })
      } finally {
        server.close()
      }
    })
  }

  it('that says 100 and no more has not answered', async () => {
    const server = createTcpServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end('HTTP/1.1 100 Continue\r\n\r\n'),
    )
    const origin = await listening(server)
    await failed(post(origin), /closed the connection without an answer/)
    server.close()
  })

  async function listening(server: ReturnType<typeof createTcpServer>): Promise<string> {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  it('says how long it wants to be left alone', async () => {
    rp = await answering((response) => response.writeHead(503, { 'retry-after': '120' }).end())
    assert.deepEqual(await post(rp.origin), { kind: 'answered', status: 503, body: '', retryAfter: '120' })
  })

  it('may say much: 4 KiB of it are read', async () => {
    rp = await answering((response) => response.writeHead(400).end('x'.repeat(100_000)))
    const answer = await post(rp.origin)
    assert.ok(answer.kind === 'answered' && answer.status === 400)
    assert.equal(answer.body, 'x'.repeat(4_096))
  })

  it('that compresses what it says has answered, and nothing of it is unpacked or kept', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000, 'x'))
    rp = await answering((response) => response.writeHead(400, { 'content-encoding': 'gzip' }).end(bomb))
    assert.deepEqual(await post(rp.origin), { kind: 'answered', status: 400, body: '(compressed: gzip)' })
  })

  for (const encoding of ['utf-8', '', 'identity', 'identity, identity', 'UTF8']) {
    it(`that names ${JSON.stringify(encoding)} as its content coding, which compresses nothing, is read`, async () => {
      rp = await answering((response) => response.writeHead(400, { 'content-encoding': encoding }).end('no session'))
      assert.deepEqual(await post(rp.origin), { kind: 'answered', status: 400, body: 'no session' })
    })
  }

  it('that says how long a body is which it may not have has answered (RFC 9110 section 8.6)', async () => {
    rp = await answering((response) => response.writeHead(304, { 'content-length': 7 }).end())
    assert.deepEqual(await post(rp.origin), { kind: 'answered', status: 304, body: '' })
  })

  it('that asks for two times to be left alone is not understood', async () => {
    rp = await answering((response) =>
      response
        .writeHead(
          503,
          [
            ['retry-after', '5'],
            ['retry-after', '100'],
          ].flat(),
        )
        .end(),
    )
    assert.deepEqual(await post(rp.origin), { kind: 'answered', status: 503, body: '', retryAfter: '5, 100' })
  })

  it('that never ends its body has answered, and is listened to no more', async () => {
    let closed: Promise<unknown> | undefined
    rp = await answering((response, { socket }) => {
      closed = closing(socket)
      response.writeHead(200)
      const goOn = (): void => {
        while (!response.destroyed && response.write('y'.repeat(1_024)));
        response.once('drain', goOn)
      }
      goOn()
    })
    assert.deepEqual(await post(rp.origin), { kind: 'answered', status: 200, body: 'y'.repeat(4_096) })
    await closed
  })

  it('whose body comes too slowly has answered: its status counts', async () => {
    rp = await answering((response) => response.writeHead(200).write('half'))
    const stop = new AbortController()
    const headersCame = new Promise<void>((resolve) => {
      subscribe('undici:request:headers', function came() {
        unsubscribe('undici:request:headers', came)
        resolve()
      })
    })
    const answer = post(rp.origin, stop.signal)
    await headersCame
    await new Promise((resolve) => setImmediate(resolve))
    stop.abort()
    const made = await answer
    assert.ok(made.kind === 'answered' && made.status === 200, JSON.stringify(made))
  })

  it('whose connection breaks off in the body has answered', async () => {
    rp = await answering((response) => {
      response.writeHead(200, { 'content-length': 1_000 })
      response.write('half', () => response.destroy())
    })
    const answer = await post(rp.origin)
    assert.ok(answer.kind === 'answered' && answer.status === 200)
  })

  it('that sends endless headers has failed', async () => {
    rp = await connecting((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n')
      const goOn = (): void => {
        while (!socket.destroyed && socket.write(`x-${'h'.repeat(1_000)}: 1\r\n`));
        socket.once('drain', goOn)
      }
      socket.once('data', goOn)
    })
    await failed(post(rp.origin), /Headers Overflow/i)
  })

  it('that sends its headers one byte at a time has failed when the time is over', async () => {
    const stop = new AbortController()
    let sent = 0
    let closed: Promise<unknown> | undefined
    rp = await connecting((socket) => {
      closed = closing(socket)
      const bytes = `HTTP/1.1 200 OK\r\nx-slow: ${'s'.repeat(1_000)}`
      socket.once('data', () => {
        const timer = setInterval(() => {
          socket.write(bytes.charAt(sent++))
          if (sent === 30) stop.abort()
        }, 5)
        socket.once('close', () => clearInterval(timer))
      })
    })
    await failed(post(rp.origin, stop.signal), /^no answer in time$/)
    await closed
  })

  it('that sends its body one byte at a time has answered when the time is over: its status counts', async () => {
    const stop = new AbortController()
    let sent = 0
    let closed: Promise<unknown> | undefined
    rp = await answering((response, { socket }) => {
      closed = closing(socket)
      response.writeHead(200)
      const timer = setInterval(() => {
        response.write('z')
        sent += 1
        if (sent === 30) stop.abort()
      }, 5)
      socket.once('close', () => clearInterval(timer))
    })
    const answer = await post(rp.origin, stop.signal)
    assert.ok(answer.kind === 'answered' && answer.status === 200, JSON.stringify(answer))
    assert.ok(answer.body.length < 4_096 && /^z*$/.test(answer.body))
    await closed
  })

  it('that sends its headers too slowly has failed, also where nobody watches the time', async () => {
    rp = await connecting((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nx-slow: ')
      const timer = setInterval(() => socket.write('s'), 20)
      socket.once('close', () => clearInterval(timer))
    })
    const impatient = guardedNetwork({ timeoutMs: 500 })
    const { signal } = new AbortController()
    await failed(impatient.post(rp.origin, {}, { inside: true, signal }), /^UND_ERR_HEADERS_TIMEOUT/)
    await impatient.close()
  })

  it('that does not answer in time has failed', async () => {
    rp = await answering(() => {})
    const stop = new AbortController()
    const answer = post(rp.origin, stop.signal)
    await rp.requested(1)
    stop.abort()
    await failed(answer, /^no answer in time$/)
  })

  it('that does not answer has failed, also where nobody watches the time', async () => {
    rp = await answering(() => {})
    const impatient = guardedNetwork({ timeoutMs: 500 })
    const { signal } = new AbortController()
    await failed(impatient.post(rp.origin, {}, { inside: true, signal }), /^UND_ERR_HEADERS_TIMEOUT/)
    await impatient.close()
  })

  it('is not asked when the time is over before', async () => {
    rp = await answering((response) => response.writeHead(200).end())
    await failed(post(rp.origin, AbortSignal.abort()), /^no answer in time$/)
    assert.equal(rp.requests.length, 0)
  })

  it('that resets the connection has failed', async () => {
    rp = await connecting((socket) => socket.once('data', () => socket.resetAndDestroy()))
    await failed(post(rp.origin), /ECONNRESET|UND_ERR_SOCKET/)
  })

  it('that hangs up without an answer has failed', async () => {
    rp = await connecting((socket) => socket.once('data', () => socket.end()))
    await failed(post(rp.origin), /UND_ERR_SOCKET: the RP closed the connection without an answer/)
  })

  it('that speaks another protocol has failed', async () => {
    rp = await connecting((socket) => socket.once('data', () => socket.end('220 smtp.example.com ESMTP\r\n')))
    await failed(post(rp.origin), /HPE_INVALID|Parse Error|Expected HTTP/i)
  })

  it('that is not there has failed', async () => {
    rp = await answering(() => {})
    const { origin } = rp
    await rp.stop()
    rp = undefined
    await failed(post(origin), /^ECONNREFUSED/)
  })

  it('whose certificate nobody vouches for has failed', async () => {
    let requests = 0
    const server = createServer(selfSigned('localhost'), (_request, response) => {
      requests += 1
      response.writeHead(200).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await failed(post(`https://localhost:${port}/`), /^DEPTH_ZERO_SELF_SIGNED_CERT/)
    await failed(post(`https://127.0.0.1:${port}/`), /^DEPTH_ZERO_SELF_SIGNED_CERT/)
    assert.equal(requests, 0)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })

  for (const url of [
    '',
    'relative',
    'ftp://rp.example.com/',
    'http://',
    'https://user:secret@rp.example.com/',
    'http://127.0.0.1:99999/',
  ]) {
    it(`with the URL ${JSON.stringify(url)} has failed, and nothing is thrown`, async () => {
      await failed(post(url), /./)
    })
  }
})

/** Resolves when it is closed, however. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}
