import assert from 'node:assert/strict'
import { decodeJwt } from 'jose'
import { LogoutScene } from '../support/logout-scene.ts'
import { Client, Person, testClient } from '../support/op.ts'
import { PlainStore, startPlainOp } from '../support/plain-adapter.ts'

const RPS = ['rp-one', 'rp-two'] as const
/** What docs/guides/provider.md takes over, in its order. */
const MODELS = ['Client', 'Grant', 'Session', 'RefreshToken', 'AccessToken'] as const

describe('an OP that moves to the log with what another adapter has stored', () => {
  let former: PlainStore
  let before: Awaited<ReturnType<typeof startPlainOp>>
  let alice: Person
  let scene: LogoutScene<(typeof RPS)[number]> | undefined

  beforeEach(async () => {
    former = new PlainStore()
    const clients = RPS.map((id) => testClient(id))
    before = await startPlainOp(former, { clients, configuration: { scopes: ['openid', 'offline_access'] } })
    alice = new Person(before)
  })

  afterEach(async () => {
    await before.stop()
    await scene?.stop()
    scene = undefined
  })

  /** The same OP on the log, at the same address, with the rows of the former adapter. */
  async function move(): Promise<LogoutScene<(typeof RPS)[number]>> {
    await before.stop()
    const port = Number(new URL(before.issuer).port)
    const configuration = { scopes: ['openid', 'offline_access'] }
    scene = await LogoutScene.start({ 'rp-one': {}, 'rp-two': {} }, { port, configuration })
    await takeOver()
    return scene
  }

  async function takeOver(): Promise<void> {
    for (const model of MODELS) {
      for (const [id, payload] of former.rowsOf(model)) {
        await scene?.op.eventSourced.adapter(model).upsert(id, { ...payload })
      }
    }
  }

  async function tokensOf(id: (typeof RPS)[number]): Promise<Record<string, string>> {
    const answer = await alice.authorize(id, { scope: 'openid offline_access', prompt: 'consent' })
    const { status, body } = await new Client(before, testClient(id)).exchange(String(answer.get('code')))
    assert.equal(status, 200)
    return body as Record<string, string>
  }

  it('keeps people logged in, and tokens valid', async () => {
    const { access_token: accessToken = '', refresh_token: refreshToken = '' } = await tokensOf('rp-one')
    const { op } = await move()
    assert.ok((await alice.authorize('rp-one', { prompt: 'none' })).has('code'))
    const client = new Client(op, testClient('rp-one'))
    assert.equal((await client.userinfo(accessToken)).status, 200)
    assert.equal((await client.refresh(refreshToken)).status, 200)
  })

  it('refuses a refresh token that was rotated before, and revokes what was issued in its place', async () => {
    const { refresh_token: used = '' } = await tokensOf('rp-one')
    const rotated = (await new Client(before, testClient('rp-one')).refresh(used)).body['refresh_token'] as string
    const { op } = await move()
    const client = new Client(op, testClient('rp-one'))
    assert.equal((await client.refresh(used)).body['error'], 'invalid_grant')
    assert.equal((await client.refresh(rotated)).body['error'], 'invalid_grant')
  })

  it('tells every RP of the end of a session that began before', async () => {
    for (const id of RPS) await alice.authorize(id)
    const now = await move()
    await alice.logout()
    const [end] = (await now.receipt()).ends
    assert.deepEqual(
      end?.relyingParties.map(({ clientId, state }) => [clientId, state]).sort(),
      RPS.map((id) => [id, 'confirmed']),
    )
    for (const id of RPS) {
      const claims = now.rps[id].tokens.map((token) => decodeJwt(token))
      assert.deepEqual(
        claims.map(({ sub, sid }) => [sub, sid]),
        [['alice', undefined]],
      )
    }
  })

  it('is the same when it was begun anew, before anybody was let in', async () => {
    const { refresh_token: refreshToken = '' } = await tokensOf('rp-one')
    const { op, logout } = await move()
    await takeOver()
    assert.ok((await alice.authorize('rp-one', { prompt: 'none' })).has('code'))
    assert.equal((await new Client(op, testClient('rp-one')).refresh(refreshToken)).status, 200)
    const sessions = []
    for await (const session of logout.sessions({ account: 'alice' })) sessions.push(session)
    assert.equal(sessions.length, 1)
  })
})
