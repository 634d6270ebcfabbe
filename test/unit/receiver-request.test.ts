import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import {
  type LogoutNotice,
  type LogoutRequestBody,
  LogoutTokenError,
  type LogoutTokenReplayStore,
  logoutRequestHandler,
  MemoryReplayStore,
} from '../../plugins/back-channel-logout-receiver/index.ts'
import { ISSUER, NOW, type TestIssuer, testIssuer } from './receiver-issuer.ts'

const FORM = 'application/x-www-form-urlencoded'

describe('a logout request', () => {
  let op: TestIssuer
  let notices: LogoutNotice[]
  let failures: unknown[]

  before(async () => {
    op = await testIssuer()
  })

  beforeEach(() => {
    notices = []
    failures = []
  })

  /** Throws what `failures` holds, one a call, and then works. */
  async function onLogout(notice: LogoutNotice): Promise<void> {
    notices.push(notice)
    if (failures.length > 0) throw failures.shift()
  }

  const post = (body: LogoutRequestBody, contentType: string | null = FORM, method = 'POST') => ({
    method,
    contentType,
    body,
  })

  describe('with a good token', () => {
    it('calls onLogout with sub, sid, issuer and the token, and is answered with 200', async () => {
      const handle = logoutRequestHandler({ ...op.options, onLogout })
      const answer = await handle(post({ logout_token: await op.token() }))
      assert.deepEqual(answer, { status: 200, headers: { 'cache-control': 'no-store' }, body: '' })
      const [{ token, ...notice } = assert.fail('no notice')] = notices
      assert.deepEqual(notice, { issuer: ISSUER, sub: 'alice', sid: 'session-1' })
      assert.equal(token.issuedAt, NOW - 1)
    })

    it('leaves out of the notice what the token does not have', async () => {
      const handle = logoutRequestHandler({ ...op.options, onLogout })
      await handle(post({ logout_token: await op.token({ claims: { sid: undefined } }) }))
      await handle(post({ logout_token: await op.token({ claims: { sub: undefined } }) }))
      assert.deepEqual(
        notices.map((notice) => Object.keys(notice).sort()),
        [
          ['issuer', 'sub', 'token'],
          ['issuer', 'sid', 'token'],
        ],
      )
    })

    it('may have an onLogout that returns nothing', async () => {
      const handle = logoutRequestHandler({ ...op.options, onLogout: () => {} })
      assert.equal((await handle(post({ logout_token: await op.token() }))).status, 200)
    })

    it('is read in whatever state the framework has the body', async () => {
      const handle = logoutRequestHandler({ ...op.options, onLogout })
      const form = async (): Promise<string> =>
        new URLSearchParams({ more: '1', logout_token: await op.token() }).toString()
      const chunks = (text: string): Buffer[] => text.match(/.{1,7}/g)?.map((chunk) => Buffer.from(chunk)) ?? []
      const bodies: LogoutRequestBody[] = [
        await form(),
        Buffer.from(await form()),
        new TextEncoder().encode(await form()),
        Readable.from(chunks(await form())),
        Readable.from([await form()]),
        new Response(await form()).body,
        { logout_token: await op.token(), more: '1' },
        { logout_token: [await op.token()] },
        Object.assign(Object.create(null), { logout_token: await op.token() }),
      ]
      for (const body of bodies) assert.equal((await handle(post(body))).status, 200)
      assert.equal(notices.length, bodies.length)
    })

    it('may name the charset, in any letters', async () => {
      const handle = logoutRequestHandler({ ...op.options, onLogout })
      for (const type of [`${FORM};charset=UTF-8`, 'Application/X-WWW-Form-Urlencoded ; charset=utf-8']) {
        assert.equal((await handle(post({ logout_token: await op.token() }, type))).status, 200)
      }
    })
  })

  describe('that is refused', () => {
    const cases: [
      status: number,
      text: string,
      name: string,
      body: (token: string) => LogoutRequestBody,
      type?: string | null,
      method?: string,
    ][] = [
      [405, 'POST', 'as a GET', () => undefined, null, 'GET'],
      [405, 'POST', 'as a PUT', (token) => ({ logout_token: token }), FORM, 'PUT'],
      [415, 'content type', 'as JSON', (token) => ({ logout_token: token }), 'application/json'],
      [415, 'content type', 'as a bare JWT', (token) => token, 'application/jwt'],
      [415, 'content type', 'without content type', (token) => `logout_token=${token}`, null],
      [415, 'content type', 'as multipart', (token) => `logout_token=${token}`, 'multipart/form-data; boundary=x'],
      [400, 'token_missing', 'without body', () => undefined],
      [400, 'token_missing', 'with a body that is null', () => null],
      [400, 'token_missing', 'with an empty body', () => ''],
      [400, 'token_missing', 'with other parameters only', (token) => `id_token=${token}`],
      [400, 'token_missing', 'with an empty parameter', () => 'logout_token='],
      [400, 'token_missing', 'with a parsed body of no parameters', () => ({})],
      [400, 'token_missing', 'with an inherited parameter', (token) => Object.create({ logout_token: token })],
      [400, 'token_missing', 'with a body that is a number', () => 7 as never],
      [400, 'token_malformed', 'with the token twice', (token) => `logout_token=${token}&logout_token=${token}`],
      [400, 'token_malformed', 'with the token twice, parsed', (token) => ({ logout_token: [token, token] })],
      [400, 'token_malformed', 'with the token nested', (token) => ({ logout_token: { a: token } })],
      [
        400,
        'signature_invalid',
        'with a forged token',
        (token) => ({ logout_token: `${token.slice(0, -86)}${'A'.repeat(86)}` }),
      ],
      [413, 'larger', 'with a large text', () => `logout_token=${'a'.repeat(64 * 1024)}`],
      [413, 'larger', 'with a large parsed token', () => ({ logout_token: 'a'.repeat(64 * 1024 + 1) })],
      [
        413,
        'larger',
        'with a large stream',
        () => Readable.from(Array.from({ length: 9 }, () => Buffer.alloc(8 * 1024, 'a'))),
      ],
      [413, 'larger', 'with an endless stream', () => Readable.from(endless())],
    ]
    for (const [status, text, name, body, type = FORM, method = 'POST'] of cases) {
      it(`${name} is answered with ${status}`, async () => {
        const handle = logoutRequestHandler({ ...op.options, onLogout })
        const answer = await handle(post(body(await op.token()), type, method))
        assert.equal(answer.status, status)
        assert.equal(answer.headers['cache-control'], 'no-store')
        assert.equal(answer.headers['content-type'], 'application/json')
        assert.equal(answer.headers.allow, status === 405 ? 'POST' : undefined)
        assert.equal(answer.headers['retry-after'], undefined)
        const { error, error_description, ...rest } = JSON.parse(answer.body)
        assert.deepEqual([error, rest], ['invalid_request', {}])
        assert.ok(error_description.includes(text), error_description)
        if (status === 400)
          assert.equal(error_description.split(':')[0], answer.error instanceof LogoutTokenError && answer.error.code)
        if (status === 413) assert.equal(answer.error?.name, 'BodyTooLarge')
        assert.equal(notices.length, 0)
      })
    }

    it('with an endless body is read for one mebibyte, so that the sender sees the response, and no further', async () => {
      let kibibytes = 0
      async function* body(): AsyncGenerator<Buffer> {
        for (;;) {
          kibibytes += 1
          yield Buffer.alloc(1024, 'a')
        }
      }
      const handle = logoutRequestHandler({ ...op.options, onLogout })
      assert.equal((await handle(post(body()))).status, 413)
      assert.equal(kibibytes, 1024 + 1)
    })

    it('is answered with exactly this, and with an error of the receiver only where there is one', async () => {
      const handle = logoutRequestHandler({ ...op.options, onLogout })
      assert.deepEqual(await handle(post('', FORM, 'GET')), {
        status: 405,
        headers: { 'cache-control': 'no-store', 'content-type': 'application/json', allow: 'POST' },
        body: '{"error":"invalid_request","error_description":"A logout request is a POST."}',
      })
      const { error, ...rest } = await handle(post(''))
      assert.deepEqual(rest, {
        status: 400,
        headers: { 'cache-control': 'no-store', 'content-type': 'application/json' },
        body: JSON.stringify({
          error: 'invalid_request',
          error_description: `token_missing: ${new LogoutTokenError('token_missing').description}`,
        }),
      })
      assert.ok(error instanceof LogoutTokenError)
    })

    it('of exactly 64 KiB is still looked at', async () => {
      const handle = logoutRequestHandler({ ...op.options, onLogout })
      const token = `logout_token=${await op.token()}&fill=`
      const body = token + 'a'.repeat(64 * 1024 - token.length)
      assert.equal((await handle(post(body))).status, 200)
      assert.equal((await handle(post(Readable.from([body])))).status, 200)
      assert.equal((await handle(post(`${body}a`))).status, 413)
      assert.equal((await handle(post(Readable.from([body, 'a'])))).status, 413)
    })

    it('tells the sender nothing that the token or the RP said', async () => {
      const handle = logoutRequestHandler({ ...op.options, onLogout })
      failures = [new Error('password=hunter2')]
      const failed = await handle(post({ logout_token: await op.token() }))
      const refused = await handle(post({ logout_token: await op.token({ claims: { iss: '<script>' } }) }))
      assert.ok(!failed.body.includes('hunter2') && !refused.body.includes('<script>'))
      assert.ok(failed.error?.message.includes('hunter2') && refused.error?.message.includes('<script>'))
    })
  })

  describe('whose logout fails', () => {
    for (const reason of [new Error('down'), 'down', undefined, null]) {
      it(`with ${reason} is answered with 503 and Retry-After`, async () => {
        const handle = logoutRequestHandler({ ...op.options, onLogout, retryAfterSeconds: 7 })
        failures = [reason]
        const answer = await handle(post({ logout_token: await op.token() }))
        assert.equal(answer.status, 503)
        assert.equal(answer.headers['retry-after'], '7')
        assert.equal(answer.headers['cache-control'], 'no-store')
        assert.equal(answer.headers['connection'], undefined)
        assert.deepEqual(JSON.parse(answer.body), {
          error: 'temporarily_unavailable',
          error_description: 'logout_failed: The logout failed here: try again later.',
        })
        assert.ok(answer.error instanceof Error)
        assert.equal(answer.error === reason || answer.error.cause === reason, true)
      })
    }

    it('with an error that says of another token that it is invalid is answered with 503 all the same', async () => {
      const replayStore = new MemoryReplayStore()
      const handle = logoutRequestHandler({ ...op.options, onLogout, replayStore })
      const expired = new LogoutTokenError('expired')
      failures = [expired, new LogoutTokenError('timed_out')]
      const request = post({ logout_token: await op.token() })
      const response = await handle(request)
      assert.equal(response.status, 503)
      assert.match(response.body, /logout_failed/)
      assert.equal(response.error, expired)
      assert.match((await handle(request)).body, /logout_failed/)
      assert.equal((await handle(request)).status, 200)
    })

    it('at once, not in a promise, is answered with 503', async () => {
      const handle = logoutRequestHandler({
        ...op.options,
        onLogout: () => {
          throw new Error('down')
        },
      })
      assert.equal((await handle(post({ logout_token: await op.token() }))).status, 503)
    })

    it('is accepted when the very same token comes again, and only once', async () => {
      const handle = logoutRequestHandler({ ...op.options, onLogout, replayStore: new MemoryReplayStore() })
      failures = [new Error('down'), new Error('still down')]
      const request = post({ logout_token: await op.token() })
      const statuses = []
      for (let attempt = 0; attempt < 5; attempt += 1) statuses.push((await handle(request)).status)
      assert.deepEqual(statuses, [503, 503, 200, 400, 400])
      assert.equal(notices.length, 3)
    })
  })

  describe('that arrives while the same token is being handled', () => {
    it("is answered with 503, and by the first one's end with 400 or a try of its own", async () => {
      for (const [fails, later, calls] of [
        [false, 400, 1],
        [true, 200, 2],
      ] as const) {
        let end = (): void => {}
        let started = 0
        const handle = logoutRequestHandler({
          ...op.options,
          replayStore: new MemoryReplayStore(),
          onLogout: () => {
            started += 1
            if (started > 1) return undefined
            return new Promise<void>((resolve, reject) => {
              end = fails ? () => reject(new Error('down')) : resolve
            })
          },
        })
        const request = post({ logout_token: await op.token() })
        const first = handle(request)
        while (started === 0) await new Promise(setImmediate)
        const second = await handle(request)
        assert.equal(second.status, 503)
        assert.ok(second.error instanceof LogoutTokenError && second.error.code === 'in_progress')
        end()
        assert.equal((await first).status, fails ? 503 : 200)
        assert.equal((await handle(request)).status, later)
        assert.equal(started, calls)
      }
    })

    it('calls onLogout once for 32 at the same time', async () => {
      const handle = logoutRequestHandler({ ...op.options, onLogout, replayStore: new MemoryReplayStore() })
      const request = post({ logout_token: await op.token() })
      const answers = await Promise.all(Array.from({ length: 32 }, () => handle(request)))
      assert.equal(notices.length, 1)
      assert.equal(answers.filter(({ status }) => status === 200).length, 1)
    })
  })

  describe('when something else is out of reach', () => {
    it('is answered with 503 when the replay store cannot reserve, and nobody is logged out', async () => {
      const replayStore: LogoutTokenReplayStore = { reserve: () => Promise.reject(new Error('down')) }
      const handle = logoutRequestHandler({ ...op.options, onLogout, replayStore })
      const answer = await handle(post({ logout_token: await op.token() }))
      assert.equal(answer.status, 503)
      assert.ok(answer.error instanceof LogoutTokenError && answer.error.code === 'replay_store_unavailable')
      assert.equal(notices.length, 0)
    })

    it('is answered with 503 when the replay store cannot commit, and the token may come again', async () => {
      const memory = new MemoryReplayStore()
      let down = true
      const replayStore: LogoutTokenReplayStore = {
        async reserve(entry) {
          const reservation = await memory.reserve(entry)
          if (reservation.outcome !== 'reserved' || !down) return reservation
          return { ...reservation, commit: () => Promise.reject(new Error('down')) }
        },
      }
      const handle = logoutRequestHandler({ ...op.options, onLogout, replayStore })
      const request = post({ logout_token: await op.token() })
      assert.equal((await handle(request)).status, 503)
      down = false
      assert.equal((await handle(request)).status, 200)
      assert.equal((await handle(request)).status, 400)
    })

    it('is answered with 503 for the first reason when the replay store cannot release either', async () => {
      for (const release of [() => Promise.reject(new Error('store')), () => assert.fail('store')]) {
        const replayStore = { reserve: async () => ({ outcome: 'reserved' as const, commit: async () => {}, release }) }
        const handle = logoutRequestHandler({ ...op.options, onLogout, replayStore })
        failures = [new Error('first')]
        const answer = await handle(post({ logout_token: await op.token() }))
        assert.deepEqual([answer.status, answer.error?.message], [503, 'first'])
      }
    })

    it('is answered with 503 and at least 30 seconds when the keys are', async () => {
      const jwks = (): never => assert.fail('no network')
      for (const [retryAfterSeconds, header] of [
        [5, '30'],
        [60, '60'],
      ] as const) {
        const handle = logoutRequestHandler({ ...op.options, onLogout, jwks, retryAfterSeconds })
        const answer = await handle(post({ logout_token: await op.token() }))
        assert.deepEqual([answer.status, answer.headers['retry-after']], [503, header])
        const { description } = new LogoutTokenError('key_unavailable')
        assert.equal(JSON.parse(answer.body).error_description, `key_unavailable: ${description}`)
      }
    })

    it('is answered with 503 when the body breaks off', async () => {
      const broken = new Readable({ read: () => {} })
      broken.push('logout_token=')
      setImmediate(() => broken.destroy(new Error('reset')))
      const handle = logoutRequestHandler({ ...op.options, onLogout })
      const answer = await handle(post(broken))
      assert.equal(answer.status, 503)
      assert.ok(answer.error instanceof LogoutTokenError && answer.error.code === 'body_unreadable')
    })

    it('is answered when somebody else has read the body', async () => {
      const handle = logoutRequestHandler({ ...op.options, onLogout })
      const used = Readable.from([`logout_token=${await op.token()}`])
      for await (const _ of used);
      assert.equal((await handle(post(used))).status, 400)
      const response = new Response('logout_token=x')
      await response.text()
      assert.equal((await handle(post(response.body))).status, 503)
    })

    const hung = <T>(): Promise<T> => new Promise(() => {})
    for (const [what, more, body] of [
      ['the body never ends', {}, () => new Readable({ read: () => {} })],
      ['a key getter never answers', { jwks: hung }, undefined],
      ['the replay store never answers', { replayStore: { reserve: hung } }, undefined],
      ['onLogout never ends', { onLogout: hung }, undefined],
      [
        'the replay store never commits',
        { replayStore: { reserve: async () => ({ outcome: 'reserved' as const, commit: hung, release: hung }) } },
        undefined,
      ],
    ] as readonly [string, object, (() => LogoutRequestBody) | undefined][]) {
      it(`is answered with 503 and timed_out when ${what}, and the connection closed`, async () => {
        const handle = logoutRequestHandler({ ...op.options, onLogout, timeoutMs: 20, ...more })
        const answer = await handle(post(body?.() ?? { logout_token: await op.token() }))
        assert.equal(answer.status, 503)
        assert.equal(answer.headers['connection'], 'close')
        assert.match(answer.headers['retry-after'] ?? '', /^5$/)
        assert.ok(answer.error instanceof LogoutTokenError && answer.error.code === 'timed_out')
        assert.match(answer.error.message, /20 ms/)
      })
    }

    it('uses the token up when onLogout ends after the response, so that it does not run once more', async () => {
      let [end, started, committed] = [(): void => {}, (): void => {}, (): void => {}]
      const running = new Promise<void>((resolve) => (started = resolve))
      const used = new Promise<void>((resolve) => (committed = resolve))
      const memory = new MemoryReplayStore()
      const replayStore: LogoutTokenReplayStore = {
        async reserve(entry) {
          const reservation = await memory.reserve(entry)
          if (reservation.outcome !== 'reserved') return reservation
          return { ...reservation, commit: () => reservation.commit().then(committed) }
        },
      }
      const slow = (): Promise<void> => {
        started()
        return new Promise((resolve) => (end = resolve))
      }
      const impatient = logoutRequestHandler({ ...op.options, onLogout: slow, replayStore, timeoutMs: 20 })
      const patient = logoutRequestHandler({ ...op.options, onLogout: slow, replayStore })
      const request = post({ logout_token: await op.token() })
      assert.match((await impatient(request)).body, /timed_out/)
      await running
      assert.match((await patient(request)).body, /in_progress/)
      end()
      await used
      assert.match((await patient(request)).body, /replayed/)
    })

    it('is answered with 503 when the clock is broken', async () => {
      const handle = logoutRequestHandler({ ...op.options, onLogout, now: () => Number.NaN })
      const { status, error } = await handle(post({ logout_token: await op.token() }))
      assert.deepEqual([status, error?.name], [503, 'ReceiverOptionError'])
      assert.equal(notices.length, 0)
    })
  })
})

function* endless(): Generator<Buffer> {
  for (;;) yield Buffer.alloc(16 * 1024, 'a')
}
