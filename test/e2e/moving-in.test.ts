import assert from 'node:assert/strict'
import { decodeJwt } from 'jose'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { detectLayout, type MigrationReport, migrate, verify } from '../../adapters/mongodb/moving/index.ts'
import type { EventSourced, EventStore } from '../../lib/index.ts'
import { crudAdapter } from '../bench/op/crud-adapter.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { type OpenedDatabase, openDatabase } from '../support/mongo-database.ts'
import { Client, Person, testClient } from '../support/op.ts'
import { startPlainOp } from '../support/plain-adapter.ts'
import { startedOp } from '../support/started-op.ts'
import type { Answer } from '../support/user-agent.ts'

const CONFIGURATION = { scopes: ['openid', 'offline_access'], features: { devInteractions: { enabled: true } } }
const OFFLINE = { scope: 'openid offline_access', prompt: 'consent' }

describe('an OP on a CRUD adapter that is replaced by one on the log while people use it', () => {
  let database: OpenedDatabase
  let store: EventStore
  let before: Awaited<ReturnType<typeof startPlainOp>>
  let scene: LogoutScene<'rp-one' | 'rp-two'> | undefined

  beforeEach(async () => {
    database = await openDatabase('moving_in')
    store = new MemoryEventStore()
    const clients = ['rp-one', 'rp-two'].map((id) => testClient(id))
    const adapter = (await crudAdapter(database.db)) as never
    before = await startPlainOp({ adapter }, { clients, configuration: CONFIGURATION })
  })

  afterEach(async () => {
    await before.stop()
    await scene?.stop()
    scene = undefined
    await database.drop()
  })

  /** A command on the side, while the former OP runs. */
  async function pass(op?: EventSourced): Promise<MigrationReport> {
    const command = op ?? (await startedOp(store, { issuer: before.issuer }))
    const layout = await detectLayout(database.db)
    const report = await migrate({ from: database.db, op: command, layout })
    if (!op) await command.stop()
    return report
  }

  /** Stops the former OP, starts the one on the log in its place, and takes what has changed since. */
  async function switchOver(): Promise<LogoutScene<'rp-one' | 'rp-two'>> {
    const port = Number(new URL(before.issuer).port)
    await before.stop()
    scene = await LogoutScene.start({ 'rp-one': {}, 'rp-two': {} }, { store, port, configuration: CONFIGURATION })
    assert.equal(scene.op.issuer, before.issuer)
    const { eventSourced: op } = scene.op
    const layout = await detectLayout(database.db)
    const { anomalies } = await migrate({ from: database.db, op, layout, stopped: true })
    assert.deepEqual(anomalies, [])
    assert.ok((await verify({ from: database.db, op, layout, sampleEvery: 1 })).agrees)
    return scene
  }

  const rp = (id: 'rp-one' | 'rp-two', op: { readonly issuer: string } = before): Client =>
    new Client(op, testClient(id))

  async function page(person: Person, url: string): Promise<Answer> {
    return person.agent.follow(await person.agent.get(url), (next) => next.startsWith(before.issuer))
  }

  it('goes on with sessions, refresh tokens, grants, codes and forms that are open in browsers', async () => {
    const [alice, bob, carol] = [new Person(before), new Person(before), new Person(before)]
    const first = String((await alice.authorize('rp-one', OFFLINE)).get('code'))
    const { refresh_token: used = '', access_token: access = '' } = (await rp('rp-one').exchange(first)).body as Record<
      string,
      string
    >
    await carol.authorize('rp-one', { login: 'carol' })
    await pass()

    // It goes on at the former OP.
    const rotated = String((await rp('rp-one').refresh(used)).body['refresh_token'])
    const code = String((await alice.authorize('rp-one', { prompt: 'none' })).get('code'))
    const consent = await page(alice, alice.authorizationUrl('rp-two', OFFLINE))
    const login = await page(bob, bob.authorizationUrl('rp-one'))
    await carol.logout()
    await pass()

    const { op } = await switchOver()
    assert.equal((await rp('rp-one', op).userinfo(access)).status, 200)
    assert.equal((await rp('rp-one', op).exchange(code)).status, 200)
    // The consent that Alice was asked for by the former OP, and the login form that Bob had open.
    const second = String((await alice.finish(consent)).get('code'))
    assert.equal((await rp('rp-two', op).exchange(second)).status, 200)
    assert.ok((await bob.finish(login, 'bob')).has('code'))
    assert.ok((await alice.authorize('rp-one', { prompt: 'none' })).has('code'))
    assert.equal((await carol.authorize('rp-one', { prompt: 'none' })).get('error'), 'login_required')

    const refreshed = await rp('rp-one', op).refresh(rotated)
    assert.equal(refreshed.status, 200)
    // A pass that comes late brings nothing back.
    const end = await store.end()
    const { models } = await pass(op.eventSourced)
    assert.equal(await store.end(), end)
    assert.ok((models['Session']?.kept ?? 0) > 0)
    const again = await rp('rp-one', op).refresh(String(refreshed.body['refresh_token']))
    assert.equal(again.status, 200)
    // A code that was used at the former OP: whoever shows it again ends what was issued for it.
    assert.equal((await rp('rp-one', op).exchange(first)).body['error'], 'invalid_grant')
    assert.equal((await rp('rp-one', op).refresh(String(again.body['refresh_token']))).body['error'], 'invalid_grant')
  })

  it('refuses a refresh token that was rotated before, and revokes what was issued in its place', async () => {
    const alice = new Person(before)
    const code = String((await alice.authorize('rp-one', OFFLINE)).get('code'))
    const used = String((await rp('rp-one').exchange(code)).body['refresh_token'])
    const rotated = String((await rp('rp-one').refresh(used)).body['refresh_token'])
    const { op } = await switchOver()
    assert.equal((await rp('rp-one', op).refresh(used)).body['error'], 'invalid_grant')
    assert.equal((await rp('rp-one', op).refresh(rotated)).body['error'], 'invalid_grant')
    await pass(op.eventSourced)
    assert.equal((await rp('rp-one', op).refresh(rotated)).body['error'], 'invalid_grant')
  })

  it('tells every RP of the logout of a session that was moved', async () => {
    const alice = new Person(before)
    for (const id of ['rp-one', 'rp-two'] as const) {
      await rp(id).exchange(String((await alice.authorize(id)).get('code')))
    }
    const now = await switchOver()
    const logins = []
    for await (const session of now.logout.sessions({ account: 'alice' })) logins.push(...session.logins)
    assert.deepEqual(logins.map(({ clientId }) => clientId).sort(), ['rp-one', 'rp-two'])
    await alice.logout()
    const [end] = (await now.receipt()).ends
    assert.deepEqual(end?.relyingParties.map(({ clientId, state }) => [clientId, state]).sort(), [
      ['rp-one', 'confirmed'],
      ['rp-two', 'confirmed'],
    ])
    for (const { tokens } of Object.values(now.rps))
      assert.deepEqual(
        tokens.map((token) => decodeJwt(token).sub),
        ['alice'],
      )
  })
})
