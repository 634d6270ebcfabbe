import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type Explanation, ephemeralKeys, eventSourced, type Fact } from '../../lib/index.ts'
import { backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { Client, type Op, Person, startOp, testClient } from '../support/op.ts'

const CLIENT = testClient('rp')

describe('what the log tells of', () => {
  const keys = ephemeralKeys()
  let store: MemoryEventStore
  let op: Op
  let person: Person
  let rp: Client

  beforeEach(async () => {
    store = new MemoryEventStore({ keys })
    const configuration = {
      features: { introspection: { enabled: true }, revocation: { enabled: true } },
    }
    op = await startOp(store, {
      clients: [CLIENT],
      plugins: [backChannelLogout()],
      configuration: configuration as never,
    })
    person = new Person(op)
    rp = new Client(op, CLIENT)
  })
  afterEach(async () => {
    await op.stop()
    await store.close()
  })

  const explain = (thing: string): Promise<Explanation> => op.eventSourced.explain(thing)
  const whats = ({ facts }: Explanation): string[] => facts.map(({ model, what }: Fact) => `${model} ${what}`)
  const cookie = (): string => person.agent.cookie('_session') ?? ''

  async function login(): Promise<{ code: string; access: string; refresh: string }> {
    const back = await person.authorize('rp', { scope: 'openid offline_access', prompt: 'consent' })
    const code = back.get('code') ?? ''
    const { body } = await rp.exchange(code)
    return { code, access: String(body['access_token']), refresh: String(body['refresh_token']) }
  }

  async function sessionUid(access: string): Promise<string> {
    const found = await op.provider.AccessToken.find(access)
    return String(found?.sessionUid)
  }

  it('what was never stored, and a JWT', async () => {
    assert.deepEqual(await explain('nothing'), {
      verdict: 'never_stored',
      summary: (await explain('nothing')).summary,
      facts: [],
    })
    const jwt = `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.e30.c2ln`
    assert.equal((await explain(jwt)).verdict, 'not_stored')
    assert.equal((await explain('a.b.c')).verdict, 'never_stored')
  })

  it('a code that is good, and one that was used', async () => {
    const back = await person.authorize('rp')
    const code = back.get('code') ?? ''
    const good = await explain(code)
    assert.deepEqual(
      [good.model, good.verdict, whats(good)],
      ['AuthorizationCode', 'valid', ['AuthorizationCode stored']],
    )
    await rp.exchange(code)
    const used = await explain(code)
    assert.deepEqual([used.verdict, whats(used)], ['used', ['AuthorizationCode stored', 'AuthorizationCode used']])
    assert.ok(used.facts[1]?.beside.includes('AccessToken stored'), 'what was issued for it')
    assert.equal(used.facts[0]?.issuer, op.issuer)
  })

  it('a refresh token that was rotated, and what is left when it is used again', async () => {
    const { refresh, access } = await login()
    const { body } = await rp.refresh(refresh)
    assert.equal((await explain(refresh)).verdict, 'used')
    assert.equal((await explain(String(body['refresh_token']))).verdict, 'valid')
    assert.equal((await rp.refresh(refresh)).status, 400)
    const dead = await explain(String(body['refresh_token']))
    assert.equal(dead.verdict, 'revoked')
    assert.deepEqual(whats(dead).slice(0, 1), ['RefreshToken stored'])
    assert.match(String(whats(dead).at(-1)), /^Grant (ended|revoked)$/)
    assert.equal((await explain(access)).verdict, 'revoked')
  })

  it('a token that was revoked', async () => {
    const { access } = await login()
    assert.equal((await explain(access)).verdict, 'valid')
    assert.equal((await rp.revoke(access)).status, 200)
    assert.ok(['ended', 'revoked'].includes((await explain(access)).verdict))
  })

  it('what revoked a token, however often its grant was stored before and after', async () => {
    const { access } = await login()
    const token = await op.provider.AccessToken.find(access)
    const grants = op.eventSourced.adapter('Grant')
    const store = async (times: number): Promise<void> => {
      const grant = await grants.find(String(token?.grantId))
      for (let n = 0; n < times; n++) await grants.upsert(String(token?.grantId), grant ?? {}, 60)
    }
    await store(150)
    await op.eventSourced.adapter('AccessToken').revokeByGrantId(String(token?.grantId))
    await store(150)
    const dead = await explain(access)
    assert.deepEqual([dead.verdict, whats(dead)], ['revoked', ['AccessToken stored', 'Grant revoked']])
  })

  it('a session: by cookie value, uid and sid, while it lives, when it is rotated, and when it has ended, and why', async () => {
    const { access } = await login()
    const uid = await sessionUid(access)
    const session = await op.provider.Session.findByUid(uid)
    const sid = String(session?.authorizations?.['rp']?.sid)
    const first = cookie()
    for (const name of [first, uid, sid]) {
      const live = await explain(name)
      assert.deepEqual([live.model, live.verdict], ['Session', 'valid'], name)
    }
    await person.authorize('rp', { prompt: 'login' })
    assert.notEqual(cookie(), first)
    assert.equal((await explain(first)).verdict, 'rotated')
    assert.equal((await explain(uid)).verdict, 'valid')
    const last = cookie()
    await person.logout()
    for (const name of [last, uid, sid]) {
      const ended = await explain(name)
      assert.equal(ended.verdict, 'ended', name)
      assert.equal(ended.facts.at(-1)?.what, 'ended')
      assert.equal(ended.facts.at(-1)?.reason, 'rp_initiated')
    }
    assert.equal((await explain(access)).verdict, 'valid', 'offline access goes on')
  })

  it('a token that lasts as long as its session', async () => {
    const back = await person.authorize('rp')
    const { body } = await rp.exchange(back.get('code') ?? '')
    const access = String(body['access_token'])
    await op.provider.Session.findByUid(await sessionUid(access)).then((session) => session?.destroy())
    const dead = await explain(access)
    assert.deepEqual([dead.verdict, whats(dead).at(-1)], ['session_ended', 'Session ended'])
  })

  it('what has expired', async () => {
    const now = Math.floor(Date.now() / 1_000)
    await op.eventSourced.adapter('ClientCredentials').upsert('a-token', { kind: 'ClientCredentials', exp: now - 5 }, 5)
    assert.equal((await explain('a-token')).verdict, 'expired')
  })

  it('a client and a grant', async () => {
    const clients = op.eventSourced.adapter('Client')
    await clients.upsert('an.app.example', { ...testClient('an.app.example') } as never, 0)
    await clients.upsert('an.app.example', { ...testClient('an.app.example') } as never, 0)
    const client = await explain('an.app.example')
    assert.deepEqual([client.verdict, whats(client)], ['valid', ['Client stored', 'Client stored_again']])
    for (let n = 0; n < 150; n++)
      await clients.upsert('an.app.example', { ...testClient('an.app.example') } as never, 0)
    assert.equal((await explain('an.app.example')).facts.length, 100, 'the newest')
    await clients.destroy('an.app.example')
    assert.equal((await explain('an.app.example')).verdict, 'ended')
  })

  it('what another issuer has stored, and what other keys have sealed or hashed', async () => {
    const { access } = await login()
    const other = await startOp(store, { clients: [CLIENT], plugins: [], issuer: 'https://other.example' })
    assert.equal((await other.eventSourced.explain(access)).verdict, 'another_issuer')
    await other.stop()
    const { sealing } = ephemeralKeys()
    Object.defineProperty(store, 'keys', {
      value: new MemoryEventStore({ keys: { ...keys, sealing: [{ id: 'new', secret: sealing[0]?.secret ?? '' }] } })
        .keys,
    })
    assert.equal((await eventSourced(store).explain(access)).verdict, 'unreadable')
    Object.defineProperty(store, 'keys', { value: new MemoryEventStore().keys })
    assert.equal((await eventSourced(store).explain(access)).verdict, 'never_stored')
  })

  it('something says nothing of what was asked for, and keeps it nowhere', async () => {
    const { code, access, refresh } = await login()
    const before = await store.end()
    for (const secret of [code, access, refresh, cookie()]) {
      assert.equal(JSON.stringify(await explain(secret)).includes(secret), false)
      assert.equal(JSON.stringify(await explain(secret)).includes('alice'), false)
    }
    assert.equal(await store.end(), before)
  })

  for (const thing of ['', undefined, 7]) {
    it(`${JSON.stringify(thing)} is OPTION_INVALID`, async () => {
      await assert.rejects(explain(thing as never), { code: 'OPTION_INVALID' })
    })
  }
})
