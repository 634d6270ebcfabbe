import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FlattenedJWSInput, JSONWebKeySet, JWSHeaderParameters } from 'jose'
import { fetchKeySet, KEY_SET_LIMIT_BYTES } from '../../plugins/back-channel-logout-receiver/fetch-key-set.ts'
import { logoutRequestHandler, verifyLogoutToken } from '../../plugins/back-channel-logout-receiver/index.ts'
import { issuerKeys } from '../../plugins/back-channel-logout-receiver/issuer-keys.ts'
import { RemoteKeySet } from '../../plugins/back-channel-logout-receiver/remote-key-set.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { refusal, type TestIssuer, testIssuer } from './receiver-issuer.ts'

const URI = new URL('https://op.example/jwks')
const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const TOKEN: FlattenedJWSInput = { payload: '', signature: '' }

describe('the keys of a jwks_uri', () => {
  let op: TestIssuer
  let published: JSONWebKeySet
  let clock: FakeClock
  let keySet: RemoteKeySet
  /** When each fetch began, in seconds since the first moment of the test. */
  let fetches: number[]
  /** What the endpoint does; the default is to answer with what is published. */
  let endpoint: (signal: AbortSignal) => Promise<unknown>

  before(async () => {
    op = await testIssuer()
  })

  beforeEach(() => {
    published = op.jwks
    clock = new FakeClock()
    fetches = []
    endpoint = async () => structuredClone(published)
    const began = clock.monotonic()
    keySet = new RemoteKeySet(URI, {
      clock,
      fetch: (url, signal) => {
        assert.equal(url, URI)
        fetches.push((clock.monotonic() - began) / SECOND)
        return endpoint(signal)
      },
    })
  })

  const down = async (): Promise<never> => {
    throw new Error('connection refused')
  }
  /** Never answers, as a server that takes connections and nothing else. */
  const silent = (signal: AbortSignal): Promise<never> =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
  const renamed = (kid: string): JSONWebKeySet => ({ keys: op.jwks.keys.map((key) => ({ ...key, kid })) })
  const lookUp = async (kid: string | null = 'one'): Promise<string> => {
    const header = { alg: 'ES256', ...(kid !== null && { kid }) } as JWSHeaderParameters & { alg: string }
    return Promise.resolve(keySet.getKey(header, TOKEN)).then(
      () => 'found',
      (error: Error & { code?: string }) => error.code ?? error.message,
    )
  }

  describe('while the endpoint answers', () => {
    it('are fetched once, whatever number of tokens asks at once and after that', async () => {
      let answer = (_keys: JSONWebKeySet): void => {}
      endpoint = () => new Promise((resolve) => (answer = resolve))
      const first = Promise.all(Array.from({ length: 100 }, () => lookUp()))
      await clock.advance(SECOND)
      answer(published)
      assert.deepEqual(new Set(await first), new Set(['found']))
      await clock.advance(9 * MINUTE)
      assert.equal(await lookUp(), 'found')
      assert.equal(fetches.length, 1)
    })

    it('are fetched anew at the first token after ten minutes, so that a key that was withdrawn is refused', async () => {
      await lookUp()
      published = renamed('two')
      await clock.advance(10 * MINUTE - 1)
      assert.equal(await lookUp('one'), 'found')
      await clock.advance(1)
      assert.equal(await lookUp('one'), 'key_not_found')
      assert.equal(fetches.length, 2)
    })

    it('are fetched anew for a key id that is not known, at most every 30 seconds', async () => {
      await lookUp()
      await clock.advance(29_999)
      published = renamed('two')
      assert.equal(await lookUp('two'), 'key_unavailable')
      await clock.advance(1)
      assert.equal(await lookUp('two'), 'found')
      for (let second = 0; second < 120; second += 1) {
        await lookUp(`invented ${second}`)
        assert.equal(await lookUp('two'), 'found', 'known keys do not wait for that')
        await clock.advance(SECOND)
      }
      assert.deepEqual(fetches, [0, 30, 60, 90, 120])
    })

    it('do not have a key only if they were fetched after the token came', async () => {
      assert.equal(await lookUp('two'), 'key_not_found')
      await clock.advance(30 * SECOND)
      let answer = (_keys: JSONWebKeySet): void => {}
      endpoint = () => new Promise((resolve) => (answer = resolve))
      const [first, later] = [lookUp('two'), lookUp('two')]
      await clock.advance(0)
      answer(op.jwks)
      assert.equal(await first, 'key_not_found')
      assert.equal(await later, 'key_unavailable', 'its key may have been published since that fetch began')
    })

    it('let jose choose among several keys when the token names none', async () => {
      published = { keys: [...op.jwks.keys, ...renamed('two').keys] }
      assert.equal(await lookUp(null), 'ERR_JWKS_MULTIPLE_MATCHING_KEYS')
      assert.equal(fetches.length, 1)
    })
  })

  describe('while the endpoint fails, and none is known', () => {
    it('are asked for again after 1, 2, 4, 8, 16 and then every 30 seconds, whatever arrives', async () => {
      endpoint = down
      const results = new Set<string>()
      for (let half = 0; half < 2 * 125; half += 1) {
        for (const result of await Promise.all([lookUp(), lookUp(`invented ${half}`)])) results.add(result)
        await clock.advance(SECOND / 2)
      }
      assert.deepEqual(fetches, [0, 1, 3, 7, 15, 31, 61, 91, 121])
      assert.deepEqual(results, new Set(['key_unavailable']), 'never "no such key": the OP has to try again')
    })

    it('are known at the next fetch once it is back, and the pauses begin anew', async () => {
      endpoint = down
      await lookUp()
      await clock.advance(SECOND)
      endpoint = async () => published
      assert.equal(await lookUp(), 'found')
      await clock.advance(10 * MINUTE)
      endpoint = down
      await lookUp('two')
      await clock.advance(SECOND)
      await lookUp('two')
      assert.deepEqual(fetches, [0, 1, 601, 602])
    })

    it('do not keep 1,000 tokens waiting for longer than one fetch of five seconds', async () => {
      endpoint = silent
      const all = Promise.all(Array.from({ length: 1000 }, (_, index) => lookUp(`invented ${index}`)))
      await clock.scheduled()
      assert.equal(clock.nextInMs, 5 * SECOND)
      await clock.advance(5 * SECOND)
      assert.deepEqual(new Set(await all), new Set(['key_unavailable']))
      assert.deepEqual(fetches, [0])
      assert.equal(clock.pending, 0)
    })

    it('say why in the error, for the log', async () => {
      endpoint = down
      const error = await Promise.resolve(keySet.getKey({ alg: 'ES256' }, TOKEN)).catch((reason: unknown) => reason)
      assert.ok(error instanceof Error && error.cause instanceof Error)
      assert.match(error.message, /the last fetch failed/)
      assert.equal(error.cause.message, 'connection refused')
    })
  })

  describe('that are known, while the endpoint fails', () => {
    beforeEach(() => lookUp())

    it('go on verifying for a day, and no longer', async () => {
      endpoint = down
      for (let minutes = 0; minutes < 24 * 60; minutes += 10) {
        assert.equal(await lookUp(), 'found', `after ${minutes} minutes`)
        await clock.advance(10 * MINUTE)
      }
      assert.equal(await lookUp(), 'key_unavailable')
    })

    it('say of a key that they do not have nothing but "ask again"', async () => {
      endpoint = down
      await clock.advance(HOUR)
      assert.equal(await lookUp('two'), 'key_unavailable')
      assert.equal(await lookUp('two'), 'key_unavailable')
    })

    it('cause no more fetches than the pauses allow, whatever arrives', async () => {
      endpoint = down
      await clock.advance(HOUR)
      for (let index = 0; index < 300; index += 1) await Promise.all([lookUp(), lookUp(`invented ${index}`)])
      assert.deepEqual(fetches, [0, 3600])
    })

    it('make nobody wait for an endpoint that does not answer, but the first one', async () => {
      await clock.advance(HOUR)
      endpoint = silent
      const first = lookUp()
      await clock.advance(5 * SECOND)
      assert.equal(await first, 'found')
      await clock.advance(SECOND)
      assert.equal(await lookUp(), 'found', 'while the next fetch is under way')
      assert.equal(await lookUp(), 'found')
      assert.deepEqual(fetches, [0, 3600, 3606])
      await clock.advance(5 * SECOND)
    })

    it('are fetched again though all tokens name no key and several fit', async () => {
      published = { keys: [...op.jwks.keys, ...renamed('two').keys] }
      await clock.advance(10 * MINUTE)
      assert.equal(await lookUp(null), 'ERR_JWKS_MULTIPLE_MATCHING_KEYS')
      endpoint = down
      await clock.advance(10 * MINUTE)
      assert.equal(await lookUp(null), 'ERR_JWKS_MULTIPLE_MATCHING_KEYS')
      endpoint = async () => renamed('three')
      await clock.advance(SECOND)
      assert.equal(await lookUp(null), 'ERR_JWKS_MULTIPLE_MATCHING_KEYS')
      await clock.advance(0)
      assert.deepEqual(fetches, [0, 600, 1200, 1201])
      assert.equal(await lookUp('three'), 'found')
    })

    it('are replaced as soon as a fetch succeeds again, by a token that did not wait for it', async () => {
      endpoint = down
      await clock.advance(HOUR)
      await lookUp()
      endpoint = async () => renamed('two')
      await clock.advance(SECOND)
      assert.equal(await lookUp('one'), 'found')
      assert.equal(await lookUp('two'), 'found')
      assert.equal(await lookUp('one'), 'key_unavailable')
    })

    for (const [what, answer] of [
      ['nonsense', 'nonsense'],
      ['null', null],
      ['a list', []],
      ['no keys member', {}],
      ['keys that are no list', { keys: 1 }],
      ['a key that is no object', { keys: [1] }],
      ['no key at all', { keys: [] }],
    ] as const) {
      it(`are kept when the endpoint answers with ${what}`, async () => {
        endpoint = async () => answer
        await clock.advance(HOUR)
        const reason: unknown = await Promise.resolve(keySet.getKey({ alg: 'ES256', kid: 'two' }, TOKEN)).catch(
          (error: Error) => `${error.message} ${String(error.cause)}`,
        )
        assert.match(String(reason), /the last fetch failed.*the response is not a JWKS with at least one key/)
        assert.equal(await lookUp('one'), 'found')
      })
    }

    it('age by the wall clock too, as on a machine that slept', async () => {
      endpoint = down
      clock.jumpWall(24 * HOUR)
      assert.equal(await lookUp(), 'key_unavailable')
    })

    it('age by the monotonic clock too, when the wall clock was set back', async () => {
      endpoint = down
      clock.jumpWall(-24 * HOUR)
      await clock.advance(24 * HOUR)
      assert.equal(await lookUp(), 'key_unavailable')
    })
  })
})

describe('a jwks_uri', () => {
  let op: TestIssuer
  const servers: Server[] = []

  before(async () => {
    op = await testIssuer()
  })

  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  })

  async function serve(listener: RequestListener): Promise<URL> {
    const server = createServer(listener).listen(0, '127.0.0.1')
    servers.push(server)
    await new Promise((resolve) => server.once('listening', resolve))
    return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`)
  }

  const never = new AbortController().signal

  it('is asked for JSON, and read up to 256 KiB and not a byte further', async () => {
    const accepted: unknown[] = []
    const body = (bytes: number): string => JSON.stringify({ keys: [], fill: 'x'.repeat(bytes - 21) })
    assert.equal(body(100).length, 100)
    let bytes = KEY_SET_LIMIT_BYTES
    const url = await serve((request, response) => {
      accepted.push(request.headers.accept)
      response.end(body(bytes))
    })
    await fetchKeySet(url, never)
    assert.match(String(accepted), /application\/json/)
    bytes += 1
    await assert.rejects(fetchKeySet(url, never), /more than 262144 bytes/)
  })

  it('that never ends its answer is hung up on after 256 KiB', async () => {
    let written = 0
    let hungUp = (): void => {}
    const closed = new Promise<void>((resolve) => (hungUp = resolve))
    const url = await serve((_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(16 * 1024))) written += 16 * 1024
      }
      response.on('drain', more).on('close', hungUp)
      more()
    })
    await assert.rejects(fetchKeySet(url, never), /more than 262144 bytes/)
    await closed
    assert.ok(written < 64 * 1024 * 1024, `${written} bytes written`)
  })

  it('that never ends an answer which is an error is hung up on at once', async () => {
    let hungUp = (): void => {}
    const closed = new Promise<void>((resolve) => (hungUp = resolve))
    const url = await serve((_, response) => {
      response.on('close', hungUp).writeHead(500).write('x')
    })
    await assert.rejects(fetchKeySet(url, never), /status 500/)
    await closed
  })

  it('that answers slower than its caller waits is given up', async () => {
    const url = await serve((_, response) => response.write('{"keys":'))
    const timeout = new AbortController()
    const fetched = fetchKeySet(url, timeout.signal)
    timeout.abort(new Error('no time'))
    await assert.rejects(fetched, /no time/)
  })

  for (const [what, answer, reason] of [
    ['an error', (_, response) => response.writeHead(500).end('{"keys":[]}'), /status 500/],
    ['a redirect', (_, response) => response.writeHead(302, { location: '/elsewhere' }).end(), /status 302/],
    ['another success', (_, response) => response.writeHead(204).end(), /status 204/],
    ['a page', (_, response) => response.end('<html>'), /not JSON/],
    ['nothing', (_, response) => response.end(), /not JSON/],
  ] as readonly (readonly [string, RequestListener, RegExp])[]) {
    it(`that answers with ${what} has failed, and the error says so`, async () => {
      await assert.rejects(fetchKeySet(await serve(answer), never), reason)
    })
  }

  it('is asked no more often for 300 junk tokens than the pauses allow, be it up or down', async () => {
    for (const up of [true, false]) {
      let requests = 0
      const url = await serve((_, response) => {
        requests += 1
        response.statusCode = up ? 200 : 500
        response.end(JSON.stringify(op.jwks))
      })
      const handle = logoutRequestHandler({ ...op.options, jwks: url, onLogout: () => {} })
      const contentType = 'application/x-www-form-urlencoded'
      const post = (token: string) => handle({ method: 'POST', contentType, body: { logout_token: token } })
      const began = performance.now()
      for (let index = 0; index < 300; index += 1) {
        await post(await op.token({ header: { kid: `invented ${index}` } }))
      }
      // On a busy machine they take longer than the first pause.
      const seconds = (performance.now() - began) / SECOND
      const allowed = (up ? [0, 30, 60] : [0, 1, 3, 7, 15, 31, 61]).filter((after) => after <= seconds).length
      assert.ok(requests <= allowed, `${requests} requests in ${seconds} s`)
      const answer = await post(await op.token())
      assert.deepEqual([answer.status, answer.headers['retry-after']], up ? [200, undefined] : [503, '30'])
    }
  })

  it('is one set of keys for all that name it, of the 256 that were named last', async () => {
    let requests = 0
    const url = await serve((_, response) => {
      requests += 1
      response.end(JSON.stringify(op.jwks))
    })
    const verify = async (): Promise<unknown> =>
      verifyLogoutToken(await op.token(), { ...op.options, jwks: new URL(url) })
    const handle = logoutRequestHandler({ ...op.options, jwks: url, onLogout: () => {} })
    await verify()
    for (let other = 0; other < 255; other += 1) issuerKeys(new URL(`https://op.example/${other}`))
    await verify()
    issuerKeys(new URL('https://op.example/256'))
    await verify()
    assert.equal(requests, 1, 'it was not the one that was named longest ago')
    for (let other = 0; other < 256; other += 1) issuerKeys(new URL(`https://op.example/${other}`))
    await verify()
    assert.equal(requests, 2, 'it was forgotten')
    const contentType = 'application/x-www-form-urlencoded'
    const { status } = await handle({ method: 'POST', contentType, body: { logout_token: await op.token() } })
    assert.deepEqual([status, requests], [200, 2], 'a handler keeps what it was made with')
  })

  it('cannot be changed after it was handed in', async () => {
    const url = await serve((_, response) => response.end(JSON.stringify(op.jwks)))
    const options = { ...op.options, jwks: url }
    const handle = logoutRequestHandler({ ...options, onLogout: () => {} })
    url.pathname = '/elsewhere'
    url.port = '1'
    const contentType = 'application/x-www-form-urlencoded'
    assert.equal((await handle({ method: 'POST', contentType, body: { logout_token: await op.token() } })).status, 200)
    await assert.rejects(verifyLogoutToken(await op.token(), options), refusal('key_unavailable'))
  })
})
