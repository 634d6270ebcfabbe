import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import mount from 'koa-mount'
import type { ClientMetadata } from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import {
  CommitTooLargeError,
  type Logger,
  OutcomeUnknownError,
  StoreClosedError,
  StoreRefusedError,
  StoreUnavailableError,
  silent,
} from '../../lib/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { Client, type Op, type OpOptions, Person, startOp, type TokenAnswer, testClient } from '../support/op.ts'
import { newProofKey, type ProofKey } from '../support/proofs.ts'
import { barrier, eventNames, SteeredStore } from '../support/steered-store.ts'

const RP = testClient('rp')
const OFFLINE = { scope: 'openid offline_access', prompt: 'consent' }

/** An OP on a store that the test steers, anew for each test of the `describe`. */
function steeredOp(options: () => OpOptions = () => ({})): { readonly store: SteeredStore; readonly op: Op } {
  let store: SteeredStore | undefined
  let op: Op | undefined
  beforeEach('start an OP', async () => {
    store = new SteeredStore(new MemoryEventStore())
    op = await startOp(store, { clients: [RP], ...options() })
  })
  afterEach('stop the OP', async () => {
    await op?.stop()
    await store?.close()
  })
  const need = <T>(value: T | undefined): T => {
    assert.ok(value)
    return value
  }
  return {
    get store() {
      return need(store)
    },
    get op() {
      return need(op)
    },
  }
}

async function newCode(op: Op, clientId = 'rp', more: Record<string, string> = OFFLINE): Promise<string> {
  return (await new Person(op).authorize(clientId, more)).get('code') ?? ''
}

/** The first commits that hold such an event wait for each other. */
function holdUntil(store: SteeredStore, count: number, eventName: string): void {
  const wait = barrier(count)
  store.beforeAppend = (commit) => (eventNames(commit).includes(eventName) ? wait() : undefined)
}

function only<T>(list: readonly T[]): T {
  assert.equal(list.length, 1)
  return list[0] as T
}

/** Who won, and how the losers were answered. */
function sorted(answers: readonly TokenAnswer[]): { winner: TokenAnswer; losers: TokenAnswer[] } {
  const winner = only(answers.filter(({ status }) => status < 300))
  return { winner, losers: answers.filter((answer) => answer !== winner) }
}

function shape({ status, headers, body }: TokenAnswer): object {
  // Which algorithms the provider takes in proofs is its own business, and known to it alone.
  const authenticate = headers.get('www-authenticate')?.replace(/, algs="[^"]*"/, '')
  return { status, body, authenticate, cache: headers.get('cache-control') }
}

describe('a request that loses the race', () => {
  const at = steeredOp()

  it('for a code is answered invalid_grant, and the winner’s tokens live', async () => {
    const client = new Client(at.op, RP)
    const code = await newCode(at.op)
    holdUntil(at.store, 2, 'AuthorizationCode consumed')
    const { winner, losers } = sorted(await Promise.all([client.exchange(code), client.exchange(code)]))
    const later = shape(await client.exchange('unknown'))
    assert.deepEqual(shape(only(losers)), later) // in the provider's own form
    assert.equal((await client.userinfo(String(winner.body['access_token']))).status, 200)
    assert.equal((await client.refresh(String(winner.body['refresh_token']))).status, 200)
  })

  it('for a refresh token is answered invalid_grant, and the winner’s tokens live', async () => {
    const client = new Client(at.op, RP)
    const { body } = await client.exchange(await newCode(at.op))
    holdUntil(at.store, 2, 'RefreshToken consumed')
    const token = String(body['refresh_token'])
    const { winner, losers } = sorted(await Promise.all([client.refresh(token), client.refresh(token)]))
    assert.deepEqual(shape(only(losers)), shape(await client.refresh('unknown')))
    assert.equal((await client.userinfo(String(winner.body['access_token']))).status, 200)
  })

  it('and comes again, later, meets the provider’s own reuse detection', async () => {
    const client = new Client(at.op, RP)
    const code = await newCode(at.op)
    holdUntil(at.store, 2, 'AuthorizationCode consumed')
    const { winner } = sorted(await Promise.all([client.exchange(code), client.exchange(code)]))
    assert.equal((await client.exchange(code)).body['error'], 'invalid_grant')
    assert.equal((await client.userinfo(String(winner.body['access_token']))).status, 401)
    assert.equal((await client.refresh(String(winner.body['refresh_token']))).status, 400)
  })
})

describe('a pushed authorization request that two browsers bring at once', () => {
  const at = steeredOp(() => ({ configuration: { features: { pushedAuthorizationRequests: { enabled: true } } } }))

  it('is used by one; the other repeats its request and is told that the request_uri was used', async () => {
    const people = [new Person(at.op), new Person(at.op)]
    for (const person of people) await person.authorize('rp')
    const pushed = await new Client(at.op, RP).push({
      client_id: 'rp',
      response_type: 'code',
      redirect_uri: 'https://rp.example.com/cb',
      scope: 'openid',
    })
    assert.equal(pushed.status, 201)
    const url = new URL('/auth', at.op.issuer)
    url.search = new URLSearchParams({ client_id: 'rp', request_uri: String(pushed.body['request_uri']) }).toString()
    holdUntil(at.store, 2, 'PushedAuthorizationRequest consumed')
    const answers = await Promise.all(
      people.map(async (person) => ({ person, answer: await person.agent.get(url.href) })),
    )
    const toRp = (location: string | null) => location?.startsWith('https://rp.example.com/cb?code=') ?? false
    only(answers.filter(({ answer }) => toRp(answer.headers.get('location'))))
    const { person, answer } = only(answers.filter(({ answer }) => !toRp(answer.headers.get('location'))))
    assert.equal(answer.status, 303)
    assert.equal(answer.headers.get('location'), `${url.pathname}${url.search}`)
    const again = await person.agent.get(url.href)
    assert.match(again.headers.get('location') ?? '', /^https:\/\/rp\.example\.com\/cb\?error=invalid_request_uri/)
  })
})

describe('a proof that two requests show at once', () => {
  let key: ProofKey
  let jwtClient: ClientMetadata
  before(async () => {
    key = await newProofKey()
    const { client_secret: _, ...metadata } = testClient('jwt')
    jwtClient = {
      ...metadata,
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [key.publicJwk as never] },
    }
  })
  const at = steeredOp(() => ({
    clients: [RP, jwtClient],
    configuration: {
      features: { dPoP: { enabled: true }, pushedAuthorizationRequests: { enabled: true } },
    },
  }))
  /** Sends the same request twice at once, then a third time: the loser gets what the provider itself says then. */
  async function assertLoserIsTold(send: () => Promise<TokenAnswer>, status: number, error: string): Promise<void> {
    holdUntil(at.store, 2, 'ReplayDetection stored')
    const { losers } = sorted(await Promise.all([send(), send()]))
    at.store.beforeAppend = undefined
    const loser = only(losers)
    assert.equal(loser.status, status)
    assert.equal(loser.body['error'], error)
    assert.deepEqual(shape(loser), shape(await send()))
  }

  it('is good for one of them: a client assertion', async () => {
    const client = new Client(at.op, { client_id: 'jwt' })
    const assertion = await key.assertion('jwt', at.op.issuer)
    const push = () =>
      client.push({ response_type: 'code', redirect_uri: 'https://rp.example.com/cb', scope: 'openid', ...assertion })
    await assertLoserIsTold(push, 401, 'invalid_client')
  })

  it('is good for one of them: a DPoP proof at the token endpoint', async () => {
    const codes = [await newCode(at.op), await newCode(at.op), await newCode(at.op)]
    const dpop = await key.dpop('POST', `${at.op.issuer}/token`)
    const client = new Client(at.op, RP)
    const exchange = () =>
      client.token(
        { grant_type: 'authorization_code', code: codes.pop() ?? '', redirect_uri: 'https://rp.example.com/cb' },
        { dpop },
      )
    await assertLoserIsTold(exchange, 400, 'invalid_grant')
  })

  it('is good for one of them: a DPoP proof at userinfo', async () => {
    const client = new Client(at.op, RP)
    const exchange = { grant_type: 'authorization_code', redirect_uri: 'https://rp.example.com/cb' }
    const { body } = await client.token(
      { ...exchange, code: await newCode(at.op) },
      { dpop: await key.dpop('POST', `${at.op.issuer}/token`) },
    )
    const token = String(body['access_token'])
    const dpop = await key.dpop('GET', `${at.op.issuer}/me`, token)
    const userinfo = async (): Promise<TokenAnswer> => {
      const { status, headers, ...response } = await fetch(`${at.op.issuer}/me`, {
        headers: { authorization: `DPoP ${token}`, dpop },
      }).then(async (got) => ({ status: got.status, headers: got.headers, text: await got.text() }))
      return { status, headers, body: JSON.parse(response.text) as Record<string, unknown> }
    }
    await assertLoserIsTold(userinfo, 401, 'invalid_token')
  })

  it('is good for one of them: a DPoP proof with a pushed request', async () => {
    const dpop = await key.dpop('POST', `${at.op.issuer}/request`)
    const push = async (): Promise<TokenAnswer> => {
      const response = await fetch(`${at.op.issuer}/request`, {
        method: 'POST',
        headers: { dpop },
        body: new URLSearchParams({
          client_id: 'rp',
          client_secret: String(RP.client_secret),
          response_type: 'code',
          redirect_uri: 'https://rp.example.com/cb',
          scope: 'openid',
        }),
      })
      const body = (await response.json()) as Record<string, unknown>
      return { status: response.status, headers: response.headers, body }
    }
    await assertLoserIsTold(push, 400, 'invalid_request')
  })

  it('is spent also by the one who loses the race for the code', async () => {
    const client = new Client(at.op, { client_id: 'jwt' })
    const code = await newCode(at.op, 'jwt', { scope: 'openid' })
    const assertions = [await key.assertion('jwt', at.op.issuer), await key.assertion('jwt', at.op.issuer)]
    holdUntil(at.store, 2, 'AuthorizationCode consumed')
    const answers = await Promise.all(
      assertions.map(async (assertion) => ({ assertion, answer: await client.exchange(code, assertion) })),
    )
    const { assertion } = only(answers.filter(({ answer }) => answer.status !== 200))
    const stored = at.store.commits.filter((commit) => eventNames(commit).includes('ReplayDetection stored'))
    assert.deepEqual(stored.map(eventNames).at(-1), ['ReplayDetection stored'])
    assert.equal((await client.exchange('another', assertion)).body['error'], 'invalid_client')
  })
})

describe('a request whose session has changed beyond reconciling', () => {
  const at = steeredOp(() => ({
    clients: [RP, testClient('rp-two')],
    configuration: { enableHttpPostMethods: true, cookies: { keys: ['key'], long: { sameSite: 'none' } } },
  }))

  for (const [method, status] of [
    ['GET', 303],
    ['POST', 307],
  ] as const) {
    it(`is repeated by the browser (${method}, ${status}), and then succeeds`, async () => {
      const person = new Person(at.op)
      await person.authorize('rp')
      await person.authorize('rp-two')
      const url = new URL(person.authorizationUrl('rp-two'))
      const form = new URLSearchParams(url.search)
      const send = () =>
        method === 'GET' ? person.agent.get(url.href) : person.agent.send('POST', `${at.op.issuer}/auth`, form)
      // Another tab logs in again meanwhile: the session's id rotates.
      at.store.beforeRead = async (streams) => {
        if (!streams.some((stream) => stream.startsWith('Grant:'))) return // the session has not been read yet
        at.store.beforeRead = undefined
        await person.authorize('rp', { prompt: 'login' })
      }
      const answer = await send()
      assert.equal(answer.status, status)
      const location = new URL(answer.headers.get('location') ?? '', at.op.issuer).href
      assert.equal(location, method === 'GET' ? url.href : `${at.op.issuer}/auth`)
      assert.deepEqual(answer.headers.getSetCookie(), [])
      const again = await send()
      assert.equal(again.status, 303)
      assert.match(again.headers.get('location') ?? '', /^https:\/\/rp\.example\.com\/cb\?code=/)
    })
  }
})

describe('while the store is not available', () => {
  const at = steeredOp()

  for (const [what, error] of [
    ['cannot be reached', new StoreUnavailableError('no server')],
    ['is closing', new StoreClosedError()],
    ['refuses', new StoreRefusedError('no rights')],
  ] as const) {
    it(`requests that write are answered 503, and nothing of them happened (it ${what})`, async () => {
      const client = new Client(at.op, RP)
      const code = await newCode(at.op)
      const before = at.store.commits.length
      at.store.beforeAppend = () => {
        throw error
      }
      assertUnavailable(await client.exchange(code))
      assert.equal(at.store.commits.length, before)
      at.store.beforeAppend = undefined
      assert.equal((await client.exchange(code)).status, 200)
    })
  }

  it('requests that may have been stored say that, and invite nobody to try again', async () => {
    const client = new Client(at.op, RP)
    const code = await newCode(at.op)
    at.store.beforeAppend = () => {
      throw new OutcomeUnknownError('timeout')
    }
    const { status, headers, body } = await client.exchange(code)
    at.store.beforeAppend = undefined
    assert.equal(status, 500)
    assert.equal(headers.get('retry-after'), null)
    assert.equal(body['error'], 'server_error')
    assert.match(String(body['error_description']), /it may have/)
  })

  it('requests that cannot read are answered 503, browsers’ too', async () => {
    const client = new Client(at.op, RP)
    const person = new Person(at.op)
    const code = (await person.authorize('rp', OFFLINE)).get('code') ?? ''
    const { body } = await client.exchange(code)
    at.store.beforeRead = () => {
      throw new StoreUnavailableError('no server')
    }
    const cookies = person.agent.cookieValues()
    for (const answer of [
      await client.exchange(code),
      await client.userinfo(String(body['access_token'])),
      await client.introspect(String(body['access_token'])),
      await client.refresh(String(body['refresh_token'])),
      await client.revoke(String(body['access_token'])),
    ])
      assertUnavailable(answer)
    for (const answer of [await person.agent.get(person.authorizationUrl('rp')), await person.endSession()]) {
      assert.equal(answer.status, 503)
      assert.equal(answer.headers.get('retry-after'), '2')
      assert.deepEqual(answer.headers.getSetCookie(), [])
    }
    assert.deepEqual(person.agent.cookieValues(), cookies)
    at.store.beforeRead = undefined
    assert.equal((await client.userinfo(String(body['access_token']))).status, 200)
    assert.ok((await person.authorize('rp')).get('code'))
  })

  it('a new login’s cookies are not handed out', async () => {
    const person = new Person(at.op)
    at.store.beforeAppend = () => {
      throw new StoreUnavailableError('no server')
    }
    const answer = await person.agent.get(person.authorizationUrl('rp'))
    assert.equal(answer.status, 503)
    assert.deepEqual(answer.headers.getSetCookie(), [])
    assert.equal(answer.headers.get('location'), null)
  })

  function assertUnavailable({ status, headers, body }: TokenAnswer): void {
    assert.equal(status, 503)
    assert.equal(headers.get('retry-after'), '2')
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.equal(body['error'], 'temporarily_unavailable')
  }
})

describe('tabs of one session while the store does not answer', () => {
  const clock = new FakeClock(Date.now())
  const at = steeredOp(() => ({ clock }))

  /** Resolves when so many timers wait, and go on waiting: those of commands to the store come and go. */
  async function waiting(count: number): Promise<void> {
    for (let turns = 0; turns < 50; turns = clock.pending < count ? 0 : turns + 1)
      await new Promise((resolve) => setImmediate(resolve))
  }

  it('try one commit, and those that wait for it are refused with it', async () => {
    const person = new Person(at.op)
    await person.authorize('rp')
    const tabs = Array.from({ length: 5 }, () => new Person(at.op, person.agent.clone()))
    let tried = 0
    at.store.beforeAppend = async () => {
      tried += 1
      await waiting(tabs.length - 1) // the others
      throw new OutcomeUnknownError('timeout')
    }
    const answers = await Promise.all(tabs.map((tab) => tab.agent.get(tab.authorizationUrl('rp'))))
    at.store.beforeAppend = undefined
    assert.deepEqual(answers.map(({ status }) => status).sort(), [500, 503, 503, 503, 503])
    assert.equal(tried, 1)
    assert.ok((await person.authorize('rp')).get('code'))
  })
})

describe('a request that ends in a 500', () => {
  const at = steeredOp()

  it('has stored nothing, and the client may try again with the same code', async () => {
    const client = new Client(at.op, RP)
    const code = await newCode(at.op)
    const before = at.store.commits.length
    at.op.provider.once('grant.success', () => {
      throw new Error('a listener that breaks')
    })
    const answer = await client.exchange(code)
    assert.equal(answer.status, 500)
    assert.equal(answer.body['error'], 'server_error')
    assert.equal(at.store.commits.length, before)
    assert.equal((await client.exchange(code)).status, 200)
  })

  it('hands out no cookies of what it has not stored', async () => {
    const person = new Person(at.op)
    await person.authorize('rp')
    at.op.provider.once('authorization.success', () => {
      throw new Error('a listener that breaks')
    })
    const answer = await person.agent.get(person.authorizationUrl('rp'))
    assert.equal(answer.status, 500)
    assert.deepEqual(answer.headers.getSetCookie(), [])
    assert.match((await person.agent.get(person.authorizationUrl('rp'))).headers.get('location') ?? '', /\?code=/)
  })

  it('has revoked what it revoked', async () => {
    const client = new Client(at.op, RP)
    const { body } = await client.exchange(await newCode(at.op))
    at.op.provider.once('grant.revoked', () => {
      throw new Error('a listener that breaks')
    })
    assert.equal((await client.revoke(String(body['refresh_token']))).status, 500)
    assert.equal((await client.userinfo(String(body['access_token']))).status, 401)
    assert.equal((await client.refresh(String(body['refresh_token']))).status, 400)
  })

  it('loses no end of a grant that a hook did not wait for', async () => {
    const client = new Client(at.op, RP)
    const { body } = await client.exchange(await newCode(at.op))
    let looked = false
    let goOn = (): void => {}
    let ended: Promise<unknown> | undefined
    at.store.beforeRead = (streams) => {
      if (looked || !streams.some((stream) => stream === at.store.keys.streams('Grant', 'of:a:hook')[0])) return
      looked = true
      return new Promise((resolve) => {
        goOn = resolve
      })
    }
    at.op.provider.once('grant.success', () => {
      ended = at.op.eventSourced.adapter('Grant').destroy('of:a:hook')
      throw new Error('a listener that breaks')
    })
    assert.equal((await client.refresh(String(body['refresh_token']))).status, 500)
    assert.ok(looked)
    goOn()
    await ended
    assert.deepEqual(eventNames(at.store.commits.at(-1) ?? { events: [] }), ['Grant destroyed'])
  })

  it('because its commit cannot be stored is nothing but that', async () => {
    const client = new Client(at.op, RP)
    const code = await newCode(at.op)
    at.store.beforeAppend = () => {
      throw new CommitTooLargeError(9_000_000, 8_388_608)
    }
    const response = await fetch(`${at.op.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: 'rp',
        client_secret: String(RP.client_secret),
        redirect_uri: 'https://rp.example.com/cb',
        code,
      }),
    })
    assert.equal(response.status, 500)
    assert.doesNotMatch(await response.text(), /access_token/)
    at.store.beforeAppend = undefined
    assert.equal((await client.exchange(code)).status, 200)
  })
})

describe('reuse detection', () => {
  const at = steeredOp()

  it('revokes although it answers with an error: a code', async () => {
    const client = new Client(at.op, RP)
    const code = await newCode(at.op)
    const { body } = await client.exchange(code)
    assert.equal((await client.exchange(code)).status, 400)
    assert.equal((await client.userinfo(String(body['access_token']))).status, 401)
    assert.equal((await client.refresh(String(body['refresh_token']))).status, 400)
  })

  it('revokes although it answers with an error: a refresh token', async () => {
    const client = new Client(at.op, RP)
    const first = await client.exchange(await newCode(at.op))
    const second = await client.refresh(String(first.body['refresh_token']))
    assert.equal((await client.refresh(String(first.body['refresh_token']))).status, 400)
    assert.equal((await client.userinfo(String(second.body['access_token']))).status, 401)
    assert.equal((await client.refresh(String(second.body['refresh_token']))).status, 400)
  })
})

describe('what other middleware has set', () => {
  it('stays when the commit fails; what the request has set is taken back', async () => {
    const store = new SteeredStore(new MemoryEventStore())
    const app = new Koa()
    app.keys = ['a key for all cookies']
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const op = await startOp(store, {
      issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      configuration: { cookies: { keys: app.keys } },
    })
    app.use(async (ctx, next) => {
      ctx.append('Set-Cookie', ['outer=one; path=/', 'second=two; path=/'])
      ctx.set('X-Outer', 'yes')
      ctx.set('Cache-Control', 'private')
      await next()
    })
    app.use(mount(op.provider as never))
    server.on('request', app.callback())
    try {
      const person = new Person(op)
      await person.authorize('rp')
      store.beforeAppend = () => {
        throw new StoreUnavailableError('no server')
      }
      const { status, headers } = await person.agent.get(person.authorizationUrl('rp'))
      assert.equal(status, 503)
      assert.equal(headers.get('x-outer'), 'yes')
      assert.deepEqual(
        headers.getSetCookie().map((cookie) => cookie.split(';')[0]),
        ['outer=one', 'second=two'],
      )
      assert.equal(headers.get('location'), null)
      store.beforeAppend = undefined
      const fine = await person.agent.get(person.authorizationUrl('rp'))
      assert.ok(fine.headers.getSetCookie().some((cookie) => cookie.startsWith('_session=')))
    } finally {
      await op.stop()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await store.close()
    }
  })
})

describe('a response that the application has ended before the commit', () => {
  const errors: { readonly first: object | string; readonly message: string | undefined }[] = []
  const logger: Logger = {
    ...silent,
    error: (first: object | string, message?: string) => {
      errors.push({ first, message })
    },
  }
  const at = steeredOp(() => ({ logger }))

  it('is logged loudly when that commit then fails', async () => {
    const client = new Client(at.op, RP)
    const codes = [await newCode(at.op), await newCode(at.op)]
    at.op.provider.on('grant.success', (ctx) => {
      ctx.respond = false
      ctx.res.end(JSON.stringify({ early: true }))
    })
    errors.length = 0
    assert.deepEqual((await client.exchange(codes.pop() ?? '')).body, { early: true })
    assert.deepEqual(errors, [])
    at.store.beforeAppend = () => {
      throw new StoreUnavailableError('no server')
    }
    assert.deepEqual((await client.exchange(codes.pop() ?? '')).body, { early: true })
    const { first, message } = only(errors)
    assert.match(String(message), /after the application had answered it: nothing of the request was stored/)
    assert.equal((first as { route?: string }).route, 'token')
  })
})
