import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import Koa from 'koa'
import mount from 'koa-mount'
import Provider from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type EventSourced, type EventSourcedOptions, eventSourced, type Plugin } from '../../lib/index.ts'
import { backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { KeptLog } from '../support/kept-log.ts'
import { listen, Person, testClient, testConfiguration, withoutNotices } from '../support/op.ts'
import { SteeredStore } from '../support/steered-store.ts'

/** A provider whose start the test decides, behind a server of its own. */
class Unstarted {
  readonly store = new SteeredStore(new MemoryEventStore())
  readonly log = new KeptLog()
  readonly op: EventSourced
  readonly #server: Server
  #listener: RequestListener = (_, response) => void response.writeHead(404).end()
  issuer = ''

  constructor(options: EventSourcedOptions = {}) {
    this.op = eventSourced(this.store, { logger: this.log, ...options })
    this.#server = createServer((request, response) => this.#listener(request, response))
  }

  async provider(path = ''): Promise<Provider> {
    this.issuer = `http://127.0.0.1:${await listen(this.#server, 0)}${path}`
    const configuration = this.op.configure(await testConfiguration({ clients: [testClient('rp')] }))
    return withoutNotices(() => new Provider(this.issuer, configuration))
  }

  answerWith(listener: RequestListener): void {
    this.#listener = listener
  }

  get person(): Person {
    return new Person(this)
  }

  async stop(): Promise<void> {
    await this.op.stop()
    this.#server.closeAllConnections()
    if (this.#server.listening) await new Promise((resolve) => this.#server.close(resolve))
    await this.store.close()
  }
}

/** A plugin whose start ends when the test says so. */
class SlowPlugin implements Plugin {
  readonly name = 'slow'
  starts = 0
  #end: ((error?: Error) => void) | undefined

  start(): Promise<void> {
    this.starts += 1
    return new Promise((resolve, reject) => {
      this.#end = (error) => (error ? reject(error) : resolve())
    })
  }

  async stop(): Promise<void> {}

  /** Ends the start that waits; waits for one. */
  async end(error?: Error): Promise<void> {
    while (!this.#end) await new Promise((resolve) => setImmediate(resolve))
    this.#end(error)
    this.#end = undefined
  }
}

/** Resolves when so many requests have come as far as the provider. */
function arrivals(provider: Provider, count: number): Promise<void> {
  let arrived = 0
  return new Promise((resolve) => {
    provider.use(async (_ctx, next) => {
      arrived += 1
      if (arrived === count) resolve()
      await next()
    })
  })
}

describe('a start that comes too late', () => {
  let at: Unstarted
  beforeEach(() => {
    at = new Unstarted()
  })
  afterEach(() => at.stop())

  for (const how of ['callback', 'listen'] as const) {
    it(`is refused after ${how}()`, async () => {
      const provider = await at.provider()
      const server = how === 'listen' ? provider.listen(0, '127.0.0.1') : undefined
      if (how === 'callback') provider.callback()
      await assert.rejects(at.op.start(provider as never), {
        code: 'PROVIDER_UNFIT',
        message: /came after callback\(\) or listen\(\)/,
      })
      if (server) await new Promise((resolve) => server.close(resolve))
    })
  }

  it('is told in the log by the first request where it could not be seen, and changes nothing', async () => {
    const provider = await at.provider('/op')
    const app = new Koa()
    app.keys = (provider as unknown as { keys: string[] }).keys
    app.use(mount('/op', provider as never))
    at.answerWith(app.callback())
    await at.op.start(provider as never)
    for (let i = 0; i < 2; i++) assert.equal((await at.person.agent.get(at.person.authorizationUrl('rp'))).status, 500)
    assert.deepEqual(
      at.log.of(/call start\(\) before callback\(\), listen\(\) or mounting/).map(({ level }) => level),
      ['error'],
    )
    assert.deepEqual(at.store.commits, [])
  })

  it('is none when it was stopped and is started again', async () => {
    const provider = await at.provider()
    await at.op.start(provider as never)
    at.answerWith(provider.callback())
    await at.op.stop()
    await at.op.start(provider as never)
    assert.ok((await at.person.authorize('rp')).get('code'))
  })
})

describe('a provider that was configured and never started', () => {
  for (const [what, plugins] of [
    ['with a plugin', [backChannelLogout()]],
    ['without plugins', []],
  ] as const) {
    it(`tells so in the log at the first request, once, and logs nobody in (${what})`, async () => {
      const at = new Unstarted({ plugins })
      try {
        const provider = await at.provider()
        at.answerWith(provider.callback())
        await at.person.agent.get(at.person.authorizationUrl('rp'))
        assert.equal(at.log.of(/came before start\(\): nobody can log in/).length, 1)
        await assert.rejects(at.person.authorize('rp'), /unexpected answer 500/)
        assert.deepEqual(
          at.log.of(/came before start\(\): nobody can log in/).map(({ level, fields }) => [level, fields['event']]),
          [['error', 'provider_not_started']],
        )
        assert.deepEqual(
          at.store.commits.filter(({ events }) => events.some(({ stream }) => stream.startsWith('Session:'))),
          [],
        )
      } finally {
        await at.stop()
      }
    })
  }

  for (const model of [
    'AccessToken',
    'AuthorizationCode',
    'RefreshToken',
    'DeviceCode',
    'ClientCredentials',
    'Interaction',
  ]) {
    it(`tells so whatever it is that only a request writes: ${model}`, async () => {
      const at = new Unstarted()
      try {
        await at.provider()
        await at.op.adapter(model).upsert('one', { jti: 'one' }, 60)
        assert.deepEqual(
          at.log.lines.map(({ fields }) => fields['event']),
          ['provider_not_started'],
        )
      } finally {
        await at.stop()
      }
    })
  }

  it('may be read, and prepared for, and have a page store the result of an interaction, without a word', async () => {
    const at = new Unstarted()
    try {
      const provider = await at.provider()
      const token = new provider.InitialAccessToken()
      assert.ok(await provider.InitialAccessToken.find(await token.save()))
      assert.equal(await provider.AccessToken.find('none'), undefined)
      await at.op.adapter('Interaction').upsert('one', { jti: 'one', result: { login: { accountId: 'alice' } } })
      await at.op.adapter('Grant').upsert('grant', { jti: 'grant' })
      assert.deepEqual(at.log.lines, [])
    } finally {
      await at.stop()
    }
  })
})

describe('a start that nobody awaits', () => {
  let at: Unstarted
  let slow: SlowPlugin
  let clock: FakeClock
  beforeEach(() => {
    clock = new FakeClock(Date.now())
    slow = new SlowPlugin()
    at = new Unstarted({ plugins: [slow], clock })
  })
  afterEach(() => at.stop())

  /** Starts without waiting, and sends a request that waits. */
  async function early(): Promise<{ provider: Provider; started: Promise<void>; answer: Promise<number> }> {
    const provider = await at.provider()
    const arrived = arrivals(provider, 1)
    const started = at.op.start(provider as never)
    at.answerWith(provider.callback())
    const { person } = at
    const answer = person.agent.get(person.authorizationUrl('rp')).then(({ status }) => status)
    await arrived
    return { provider, started, answer }
  }

  it('keeps requests waiting, and they are one commit each when it has ended', async () => {
    const { started, answer } = await early()
    assert.equal(at.store.commits.length, 0)
    await slow.end()
    assert.equal(await answer, 303)
    await started
    assert.equal(at.store.commits.length, 1)
  })

  it('keeps them waiting for 10 s, then they are refused, and go on when it has ended', async () => {
    const { started, answer } = await early()
    await clock.advance(9_999)
    assert.deepEqual(at.log.of(/take long to start/), [])
    await clock.advance(1)
    assert.equal(await answer, 503)
    assert.equal(at.log.of(/take long to start/).length, 1)
    const { person } = at
    const next = await fetch(person.authorizationUrl('rp'), { redirect: 'manual', headers: { accept: '*/*' } })
    assert.equal(next.status, 503)
    assert.equal(next.headers.get('retry-after'), '2')
    assert.equal(((await next.json()) as { error: string }).error, 'temporarily_unavailable')
    await slow.end()
    await started
    assert.ok((await person.authorize('rp')).get('code'))
  })

  it('and fails has them refused, until it has succeeded', async () => {
    const { provider, started, answer } = await early()
    await slow.end(new Error('no database'))
    await assert.rejects(started, /no database/)
    assert.equal(await answer, 503)
    assert.equal(at.log.of(/could not be started/).length, 1)
    const { person } = at
    assert.equal((await person.agent.get(person.authorizationUrl('rp'))).status, 503)
    assert.deepEqual(at.store.commits, [])
    const again = at.op.start(provider as never)
    await slow.end()
    await again
    assert.ok((await person.authorize('rp')).get('code'))
  })

  it('lets no session be written by application code before the plugins see it', async () => {
    const { provider, started, answer } = await early()
    const session = new provider.Session()
    session.accountId = 'alice'
    await assert.rejects(session.save(60), { code: 'PROVIDER_UNFIT', message: /await it/ })
    await slow.end()
    await Promise.all([started, answer])
  })

  it('keeps nobody waiting where it was started before, and stopped', async () => {
    const { provider, started, answer } = await early()
    await slow.end()
    await Promise.all([started, answer])
    await at.op.stop()
    const again = at.op.start(provider as never)
    while (slow.starts < 2) await new Promise((resolve) => setImmediate(resolve))
    assert.ok((await at.person.authorize('rp')).get('code'))
    await slow.end(new Error('no database'))
    await assert.rejects(again, /no database/)
    assert.ok((await at.person.authorize('rp')).get('code'))
    assert.deepEqual(at.log.of(/answered 503/), [])
  })
})

describe('a provider that is not wholly on the log', () => {
  it('is refused where the plugins have not seen its configuration', async () => {
    const store = new MemoryEventStore()
    const op = eventSourced(store, { plugins: [backChannelLogout()] })
    const configuration = { ...(await testConfiguration({})), adapter: op.adapter as never }
    const provider = withoutNotices(() => new Provider('http://127.0.0.1:3000', configuration))
    await assert.rejects(op.start(provider as never), { code: 'PROVIDER_UNFIT', message: /have not seen/ })
    await store.close()
  })

  it('is refused where one of its models is elsewhere, which is named', async () => {
    const store = new MemoryEventStore()
    const op = eventSourced(store)
    const elsewhere = { find: async () => undefined }
    const configuration = op.configure(await testConfiguration({}))
    const adapter = (model: string) => (model === 'RefreshToken' ? elsewhere : op.adapter(model))
    const provider = withoutNotices(
      () => new Provider('http://127.0.0.1:3000', { ...configuration, adapter: adapter as never }),
    )
    await assert.rejects(op.start(provider as never), { code: 'PROVIDER_UNFIT', message: /^RefreshToken of this/ })
    await store.close()
  })
})
