import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { eventSourced, type OwnAdapter, type Payload } from '../../lib/index.ts'
import { MODELS } from '../../lib/provider/models.ts'
import { KeptLog } from '../support/kept-log.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Client, Person, startOp, testClient } from '../support/op.ts'
import { quickClock } from '../support/quick-clock.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'

/** A table of the application's own. */
class Table implements OwnAdapter {
  readonly rows = new Map<string, Payload>()
  /** Set while the table cannot be read. */
  failure: Error | undefined
  /** Set while the table does not respond. */
  hangs = false
  /** What waits for it. */
  readonly waiting: (() => void)[] = []

  async find(id: string): Promise<Payload | undefined> {
    if (this.hangs) await new Promise<void>((resolve) => this.waiting.push(resolve))
    if (this.failure) throw this.failure
    return this.rows.get(id)
  }

  async upsert(id: string, payload: Payload): Promise<void> {
    this.rows.set(id, payload)
  }

  async destroy(id: string): Promise<void> {
    this.rows.delete(id)
  }
}

describe('clients in a table of one’s own', () => {
  let rp: RelyingParty
  let table: Table
  let log: KeptLog
  let scene: LogoutScene<'other'>

  beforeEach(async () => {
    rp = await startRp('rp')
    table = new Table()
    table.rows.set('rp', rp.metadata)
    log = new KeptLog()
    scene = await LogoutScene.start(
      { other: {} },
      {
        adapters: { Client: () => table },
        logger: log,
        logout: { allowInternal: ['rp', 'other'] },
        configuration: { features: { registration: { enabled: true } } },
      },
    )
  })
  afterEach(async () => {
    await scene.stop()
    await rp.stop()
  })

  it('are those that people log in at, and nothing of them is in the log', async () => {
    const code = (await new Person(scene.op).authorize('rp')).get('code') ?? ''
    const { status } = await new Client(scene.op, rp.metadata).exchange(code)
    assert.equal(status, 200)
    const streams = (await scene.log()).flatMap(({ events }) => events).map(({ stream }) => stream)
    assert.deepEqual(
      streams.filter((stream) => stream.startsWith('Client:')),
      [],
    )
  })

  it('are registered at the login, and told of the logout', async () => {
    const alice = new Person(scene.op)
    await alice.authorize('rp')
    await alice.authorize('other')
    await alice.logout()
    const [token = ''] = await rp.received(1)
    const { sub, sid } = await rp.verify(token, scene.op.issuer)
    assert.equal(sub, 'alice')
    assert.ok(sid)
    const [end] = (await scene.receipt()).ends
    assert.deepEqual(end?.relyingParties.map(({ clientId, state }) => [clientId, state]).sort(), [
      ['other', 'confirmed'],
      ['rp', 'confirmed'],
    ])
  })

  it('register themselves there, while what the request commits is in the log', async () => {
    const metadata = { redirect_uris: ['https://new.example.com/cb'] }
    const response = await fetch(`${scene.op.issuer}/reg`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(metadata),
    })
    assert.equal(response.status, 201)
    const { client_id: id } = (await response.json()) as { client_id: string }
    assert.deepEqual(table.rows.get(id)?.['redirect_uris'], metadata.redirect_uris)
    const [commit] = (await scene.log()).slice(-1)
    assert.deepEqual(
      commit?.events.map(({ stream, type }) => [stream.split(':')[0], type]),
      [['RegistrationAccessToken', 'stored']],
    )
  })

  it('that cannot be read while a user logs out let the user go, and are told when they can be', async () => {
    const alice = new Person(scene.op)
    await alice.authorize('other')
    await alice.authorize('rp')
    const page = await alice.endSession()
    table.failure = new Error('the table is locked')
    assert.equal((await alice.confirm(page)).status, 303)
    await scene.rps.other.received(1)
    assert.deepEqual(rp.tokens, [])
    table.failure = undefined
    await scene.logout.retry({ client: 'rp' })
    await rp.verify((await rp.received(1))[0] ?? '', scene.op.issuer)
  })

  it('that cannot be read while a logout is planned are told when they can be, if they have a URI by then', async () => {
    table.rows.set('rp', testClient('rp')) // no URI at the login
    const alice = new Person(scene.op)
    await alice.authorize('rp')
    const page = await alice.endSession()
    table.failure = new Error('the table is locked')
    await alice.confirm(page)
    while (log.of(/clients cannot be read/).length === 0) await turn()
    table.rows.set('rp', rp.metadata)
    table.failure = undefined
    while ((await scene.logout.retry({ client: 'rp' })).hastened === 0 && rp.tokens.length === 0) await turn()
    await rp.received(1)
    const [end] = (await scene.receipt()).ends
    assert.deepEqual(
      end?.relyingParties.map(({ clientId, state }) => [clientId, state]),
      [['rp', 'confirmed']],
    )
  })

  it('that cannot be read while a logout is planned, and turn out to have no URI, are settled, and the receipt says so', async () => {
    table.rows.set('rp', testClient('rp'))
    const alice = new Person(scene.op)
    await alice.authorize('rp')
    const page = await alice.endSession()
    table.failure = new Error('the table is locked')
    await alice.confirm(page)
    while (log.of(/clients cannot be read/).length === 0) await turn()
    while ((await scene.logout.pendingByClient()).length === 0) await turn()
    assert.deepEqual(await scene.commitsWith('session_logout.back_channel.owed'), [])
    while ((await scene.commitsWith('session_logout.back_channel.attempt_failed')).length === 0) await turn()
    table.failure = undefined
    while ((await scene.logout.pendingByClient()).length > 0) {
      await scene.logout.retry({ client: 'rp' })
      await turn()
    }
    const [entry] = (await scene.receipt()).ends[0]?.relyingParties ?? []
    assert.deepEqual([entry?.clientId, entry?.state], ['rp', 'abandoned'])
  })

  it('whose table does not respond while a user logs out let the user go, and are told when it does', async () => {
    await scene.stop()
    const clock = quickClock(20)
    scene = await LogoutScene.start({ other: {} }, { adapters: { Client: () => table }, clock, logger: log })
    await scene.logout.network.allow('rp', { actor: 'anna' })
    const alice = new Person(scene.op)
    await alice.authorize('other')
    await alice.authorize('rp')
    const page = await alice.endSession()
    table.hangs = true
    assert.equal((await alice.confirm(page)).status, 303)
    await scene.rps.other.received(1)
    table.hangs = false
    await rp.verify((await rp.received(1))[0] ?? '', scene.op.issuer)
  })

  it('whose table does not respond while a logout is planned do not keep the planner from the logouts of others', async () => {
    await scene.stop()
    const clock = quickClock(20)
    scene = await LogoutScene.start({ other: {} }, { adapters: { Client: () => table }, clock, logger: log })
    table.rows.set('rp', testClient('rp')) // no URI at the login: it is looked up when the logout is planned
    const [alice, bob] = [new Person(scene.op), new Person(scene.op)]
    await alice.authorize('rp')
    await bob.authorize('other', { login: 'bob' })
    const uids: string[] = []
    for await (const { uid } of scene.logout.sessions({ account: 'alice' })) uids.push(uid)
    table.hangs = true
    await scene.logout.terminateSession(uids[0] ?? '', { actor: 'anna' })
    while (table.waiting.length === 0) await turn()
    await bob.logout()
    await scene.rps.other.received(1)
    assert.deepEqual(log.of(/gives its lease up/), [])
  })

  it('are told of the end of a grant though they cannot be read when it is revoked', async () => {
    const alice = new Person(scene.op)
    const code = (await alice.authorize('rp', { scope: 'openid offline_access', prompt: 'consent' })).get('code') ?? ''
    const tokens = await new Client(scene.op, rp.metadata).exchange(code)
    await alice.logout()
    await rp.received(1)
    await scene.quiet()
    table.failure = new Error('the table is locked')
    const report = await scene.logout.terminateAccount('alice', { reason: 'account_disabled', actor: 'anna' })
    assert.deepEqual([report.grants, report.failed], [1, 0])
    table.failure = undefined
    while ((await scene.logout.retry({ client: 'rp' })).hastened === 0 && rp.tokens.length === 1) await turn()
    await rp.received(2)
    const refreshed = await new Client(scene.op, rp.metadata).refresh(String(tokens.body['refresh_token']))
    assert.equal(refreshed.body['error'], 'invalid_grant')
  })
})

describe('models in tables of one’s own', () => {
  it('may be those that no request’s commit depends on, and those of the application', async () => {
    const store = new MemoryEventStore()
    const tokens = new Table()
    const passkeys = new Table()
    const op = await startOp(store, { adapters: { InitialAccessToken: () => tokens, Passkey: () => passkeys } })
    const token = await new op.provider.InitialAccessToken().save()
    assert.equal(tokens.rows.size, 1)
    assert.ok(await op.provider.InitialAccessToken.find(token))
    assert.equal(op.eventSourced.adapter('Passkey'), passkeys)
    assert.equal(await store.end(), 0)
    await op.stop()
    await store.close()
  })

  for (const model of MODELS.filter(
    (name) => !['Client', 'InitialAccessToken', 'RegistrationAccessToken'].includes(name),
  ))
    it(`may not be ${model}`, () => {
      const refused = () => eventSourced(new MemoryEventStore(), { adapters: { [model]: () => new Table() } })
      assert.throws(refused, {
        code: 'OPTION_INVALID',
        option: `adapters.${model}`,
        message: /one commit/,
      })
    })

  for (const [what, adapters, option] of [
    ['no object', [], 'adapters'],
    ['an adapter in the place of what makes it', { Client: new Table() }, 'adapters.Client'],
  ] as const) {
    it(`are refused: ${what}`, () => {
      const refused = () => eventSourced(new MemoryEventStore(), { adapters: adapters as never })
      assert.throws(refused, { code: 'OPTION_INVALID', option })
    })
  }

  it('are made by a class, a function or an arrow function, each of which is told the model', async () => {
    class Named extends Table {
      readonly model: string
      constructor(model: string) {
        super()
        this.model = model
      }
    }
    function named(model: string): Named {
      return new Named(model)
    }
    for (const factory of [Named, named, (model: string) => new Named(model)]) {
      const op = eventSourced(new MemoryEventStore(), { adapters: { Client: factory } })
      const adapter: unknown = op.adapter('Client')
      assert.ok(adapter instanceof Named)
      assert.equal(adapter.model, 'Client')
    }
  })

  it('are refused when what is made is no adapter', () => {
    const op = eventSourced(new MemoryEventStore(), { adapters: { Client: () => ({}) as never } })
    assert.throws(() => op.adapter('Client'), { code: 'OPTION_INVALID', option: 'adapters.Client' })
  })

  it('are read by nobody where the option does not name them', async () => {
    const store = new MemoryEventStore()
    const op = eventSourced(store, { adapters: {} })
    for (const name of ['constructor', '__proto__', 'toString'])
      assert.throws(() => op.adapter(name), { code: 'OPTION_INVALID', option: 'model' })
    await store.close()
  })
})

describe('a model of an application’s own, on the log', () => {
  it('takes an id that comes back, again and again', async () => {
    const store = new MemoryEventStore()
    const op = await startOp(store)
    const challenges = op.eventSourced.adapter('PasskeyChallenge')
    for (let round = 0; round < 20; round++) {
      await challenges.upsert('alice', { challenge: `number ${round}` }, 60)
      assert.deepEqual(await challenges.find('alice'), { challenge: `number ${round}` })
      await challenges.destroy('alice')
      assert.equal(await challenges.find('alice'), undefined)
    }
    await op.stop()
    await store.close()
  })
})

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
