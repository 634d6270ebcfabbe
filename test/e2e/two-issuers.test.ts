import assert from 'node:assert/strict'
import { decodeJwt, exportJWK, generateKeyPair, type JWK } from 'jose'
import type { Configuration } from 'oidc-provider'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type EventStore, eventSourced, type Host, silent, systemClock } from '../../lib/index.ts'
import { ModelLog } from '../../lib/provider/model-log.ts'
import { isShared } from '../../lib/provider/models.ts'
import { GRANTABLES, MODELS, newId, sample } from '../contract/provider-adapter/samples.ts'
import { LogoutScene } from '../support/logout-scene.ts'
import { Client, type Op, Person, startOp } from '../support/op.ts'
import { type Answer, field } from '../support/user-agent.ts'

const FEATURES = { pushedAuthorizationRequests: { enabled: true } }

describe('two issuers on one log, with the same clients, accounts and cookie keys', () => {
  let store: EventStore
  let one: LogoutScene<'rp'>
  let two: LogoutScene<'rp'>

  beforeEach(async () => {
    store = new MemoryEventStore()
    one = await LogoutScene.start({ rp: {} }, { store, configuration: { features: FEATURES } as Configuration })
    const jwks = { keys: [await newSigningKey()] } as NonNullable<Configuration['jwks']>
    two = await LogoutScene.start({ rp: {} }, { store, configuration: { features: FEATURES, jwks } as Configuration })
  })

  afterEach(async () => {
    await two.stop()
    await one.stop()
  })

  it('keep their sessions apart: the cookie of one is nobody’s at the other, and stays whose it is', async () => {
    const alice = new Person(one.op)
    await alice.authorize('rp')
    assert.ok((await silently(one.op, alice)).has('code'))
    assert.equal((await silently(two.op, alice)).get('error'), 'login_required')
    await new Person(two.op).authorize('rp')
    assert.ok((await silently(one.op, alice)).has('code'))
  })

  it('keep their codes and tokens apart, and what one refuses the other still takes', async () => {
    const rp = (scene: LogoutScene<'rp'>): Client => new Client(scene.op, scene.rps.rp.metadata)
    const code = (await new Person(one.op).authorize('rp', { scope: 'openid offline_access', prompt: 'consent' })).get(
      'code',
    )
    assert.deepEqual(refusal(await rp(two).exchange(String(code))), [400, 'invalid_grant'])
    const { status, body } = await rp(one).exchange(String(code))
    assert.equal(status, 200)
    const [access, refresh] = [String(body['access_token']), String(body['refresh_token'])]
    assert.equal((await rp(two).introspect(access)).body['active'], false)
    assert.equal((await rp(two).userinfo(access)).status, 401)
    assert.equal((await rp(two).revoke(access)).status, 200)
    assert.deepEqual(refusal(await rp(two).refresh(refresh)), [400, 'invalid_grant'])
    assert.equal((await rp(one).introspect(access)).body['active'], true)
    assert.equal((await rp(one).userinfo(access)).status, 200)
    assert.equal((await rp(one).refresh(refresh)).status, 200)
  })

  it('keep their pushed requests apart', async () => {
    const parameters = { response_type: 'code', redirect_uri: 'https://rp.example.com/cb', scope: 'openid' }
    const { body } = await new Client(one.op, one.rps.rp.metadata).push(parameters)
    const request = { request_uri: String(body['request_uri']) }
    const there = await new Person(two.op).authorize('rp', request)
    assert.equal(there.get('error'), 'invalid_request_uri')
    assert.ok((await new Person(one.op).authorize('rp', request)).has('code'))
  })

  it('end their sessions apart: the RP of one is told, by its issuer and its keys', async () => {
    const [here, there] = [new Person(one.op), new Person(two.op)]
    await here.authorize('rp')
    await there.authorize('rp')
    await here.logout()
    const [token = ''] = await one.rps.rp.received(1)
    assert.equal(decodeJwt(token).iss, one.op.issuer)
    assert.equal((await one.rps.rp.verify(token, one.op.issuer)).sub, 'alice')
    await assert.rejects(one.rps.rp.verify(token, two.op.issuer))
    await two.quiet()
    assert.equal(two.rps.rp.tokens.length, 0)
    assert.ok((await silently(two.op, there)).has('code'))
    const [uid = ''] = await two.ended()
    assert.equal((await two.logout.receipt(uid)).ends[0]?.origin, one.op.issuer)

    await there.logout()
    const [other = ''] = await two.rps.rp.received(1)
    assert.equal(decodeJwt(other).iss, two.op.issuer)
    assert.equal((await two.rps.rp.verify(other, two.op.issuer)).sub, 'alice')
    await assert.rejects(two.rps.rp.verify(other, one.op.issuer))
    await one.quiet()
    assert.equal(one.rps.rp.tokens.length, 1)
  })

  it('have gates of their own, and discovery says so', async () => {
    await one.op.eventSourced.features.set('back_channel_logout', false, { level: 'instance', actor: 'ann' })
    await two.op.eventSourced.features.list() // it has read the log since
    assert.deepEqual([await announces(one.op), await announces(two.op)], [false, true])
    for (const { op } of [one, two]) {
      const person = new Person(op)
      await person.authorize('rp')
      await person.logout()
    }
    await two.rps.rp.received(1)
    await one.quiet()
    assert.equal(one.rps.rp.tokens.length, 0)
    await two.op.eventSourced.features.set('back_channel_logout', false, { level: 'system', actor: 'ann' })
    await one.op.eventSourced.features.set('back_channel_logout', true, { level: 'instance', actor: 'ann' })
    assert.deepEqual([await announces(one.op), await announces(two.op)], [true, false])
  })

  it('have permissions of their own for RPs inside the network', async () => {
    await one.logout.network.allow('intranet', { actor: 'ann' })
    const inside = async ({ logout }: LogoutScene<'rp'>): Promise<string[]> =>
      (await logout.network.list()).map(({ clientId }) => clientId)
    assert.deepEqual([await inside(one), await inside(two)], [['intranet', 'rp'], ['rp']])
  })

  for (const model of MODELS) {
    it(`${isShared(model) ? 'share' : 'do not find'} each other’s ${model}`, async () => {
      const [here, there] = [one, two].map(({ op }) => op.eventSourced.adapter(model))
      const id = newId()
      const payload = sample(model, id)
      await here?.upsert(id, payload, 3_600)
      assert.deepEqual(await here?.find(id), payload)
      assert.deepEqual(await there?.find(id), isShared(model) ? payload : undefined)
      if (model === 'Session') {
        const uid = String(payload['uid'])
        assert.deepEqual(await here?.findByUid(uid), payload)
        assert.equal(await there?.findByUid(uid), undefined)
      }
      if (model === 'DeviceCode') {
        const userCode = String(payload['userCode'])
        assert.deepEqual(await here?.findByUserCode(userCode), payload)
        assert.equal(await there?.findByUserCode(userCode), undefined)
        await there?.upsert('another', sample(model, 'another', { userCode }), 3_600)
        assert.deepEqual(await here?.findByUserCode(userCode), payload) // user codes are short: two may have the same
      }
      if (GRANTABLES.includes(model)) {
        await there?.revokeByGrantId(String(payload['grantId']))
        assert.deepEqual(await here?.find(id), payload)
        await here?.revokeByGrantId(String(payload['grantId']))
        assert.equal(await here?.find(id), undefined)
      }
    })
  }

  it('sign out their own accounts: what was typed in at the other goes on, and each sign-out counts', async () => {
    const typedIn = async (scene: LogoutScene<'rp'>): Promise<[Person, Answer]> => {
      const person = new Person(scene.op)
      const page = await person.agent.follow(await person.agent.get(person.authorizationUrl('rp')))
      return [person, await person.submit(page, 'alice')]
    }
    const [here, there] = [await typedIn(one), await typedIn(two)]
    const signedOut = { actor: 'ann', reason: 'password_changed' } as const
    await one.logout.terminateAccount('alice', signedOut)
    const asked = async (scene: LogoutScene<'rp'>, [person, submitted]: [Person, Answer]): Promise<string> =>
      field(
        (await person.agent.follow(submitted, (url) => url.startsWith(scene.op.issuer))).text,
        /name="prompt" value="([^"]+)"/,
      )
    assert.equal(await asked(two, there), 'consent')
    await two.logout.terminateAccount('alice', signedOut)
    assert.equal(await asked(one, here), 'login')
  })

  it('do not take each other’s sessions for ones that ended', async () => {
    const payload = sample('Session', newId())
    await one.op.eventSourced.adapter('Session').upsert(String(payload['jti']), payload, 3_600)
    const there = new ModelLog(store, systemClock, { issuers: () => [two.op.issuer] })
    assert.equal(await there.findSession(String(payload['uid'])), undefined)
  })

  it('both find what an adapter has stored whose provider was not started', async () => {
    const without = await startOp(store, { attach: false })
    try {
      const payload = sample('AccessToken', 'token')
      await without.eventSourced.adapter('AccessToken').upsert('token', payload, 3_600)
      for (const { op } of [one, two])
        assert.deepEqual(await op.eventSourced.adapter('AccessToken').find('token'), payload)
    } finally {
      await without.stop()
    }
  })
})

describe('a grant of an application’s own id, at two issuers on one log', () => {
  it('is revoked by each of them', async () => {
    const store = new MemoryEventStore()
    const [one, two] = await Promise.all(['https://one.example.com', 'https://two.example.com'].map(endingsAt))
    for (const each of [one, two])
      await each?.op.adapter('Grant').upsert('alice:rp', sample('Grant', 'alice:rp'), 3_600)
    const revoke = (each: typeof one) => each?.endings.revoke('alice:rp', { reason: 'admin' }, [])
    assert.ok(await revoke(one))
    assert.equal(await revoke(one), undefined)
    assert.ok(await two?.op.adapter('Grant').find('alice:rp'))
    assert.ok(await revoke(two))
    assert.equal(await two?.op.adapter('Grant').find('alice:rp'), undefined)

    async function endingsAt(issuer: string) {
      let host: Host | undefined
      const start = async (given: Host) => {
        host = given
      }
      const op = eventSourced(store, { plugins: [{ name: 'taker', start, stop: async () => {} }], logger: silent })
      await op.start({
        issuer,
        use: () => {},
        Client: { find: async () => undefined, adapter: op.adapter('Client') },
        Session: class {},
      })
      assert.ok(host)
      return { op, endings: host.terminator }
    }
  })
})

describe('a provider that moves to another issuer', () => {
  let store: EventStore
  let before: LogoutScene<'rp'>
  let person: Person

  beforeEach(async () => {
    store = new MemoryEventStore()
    before = await LogoutScene.start({ rp: {} }, { store })
    person = new Person(before.op)
  })

  afterEach(() => before.stop())

  async function moved(formerIssuers: readonly string[]): Promise<LogoutScene<'rp'>> {
    return LogoutScene.start({ rp: {} }, { store, formerIssuers })
  }

  it('goes on with its sessions, codes and gates where it says which one it had', async () => {
    const code = String((await person.authorize('rp')).get('code'))
    await before.op.eventSourced.features.set('back_channel_logout', false, { level: 'instance', actor: 'ann' })
    const now = await moved([before.op.issuer])
    try {
      assert.ok((await silently(now.op, person)).has('code'))
      assert.equal((await new Client(now.op, now.rps.rp.metadata).exchange(code)).status, 200)
      assert.equal(await announces(now.op), false)
    } finally {
      await now.stop()
    }
  })

  it('finds nothing where it does not say so', async () => {
    const code = String((await person.authorize('rp')).get('code'))
    const now = await moved(['https://another.example.com'])
    try {
      assert.equal((await silently(now.op, person)).get('error'), 'login_required')
      assert.equal((await new Client(now.op, now.rps.rp.metadata).exchange(code)).status, 400)
    } finally {
      await now.stop()
    }
  })

  it('tells RPs of the end of a session from before, in its name of now', async () => {
    await person.authorize('rp')
    const now = await moved([before.op.issuer])
    try {
      const [uid = ''] = await sessionsOf(now.op, person)
      const { Session } = now.op.provider
      await (await Session.findByUid(uid))?.destroy()
      const [token = ''] = await now.rps.rp.received(1)
      assert.equal((await now.rps.rp.verify(token, now.op.issuer)).sub, 'alice')
      assert.equal((await now.receiptOf(uid)).ends[0]?.origin, now.op.issuer)
      assert.equal(before.rps.rp.tokens.length, 0)
    } finally {
      await now.stop()
    }
  })

  for (const formerIssuers of ['https://op.example.com', [7], ['op.example.com'], null]) {
    it(`is refused ${JSON.stringify(formerIssuers)} for its former issuers`, () => {
      assert.throws(() => eventSourced(store, { formerIssuers: formerIssuers as never }), { option: 'formerIssuers' })
    })
  }
})

/** Asks for a code without any page, with the browser's cookies of wherever it has been. */
async function silently(op: Op, { agent }: Person): Promise<URLSearchParams> {
  const cookie = ['_session', '_session.sig'].map((name) => `${name}=${agent.cookie(name)}`).join('; ')
  const url = new Person(op).authorizationUrl('rp', { prompt: 'none' })
  const { headers } = await new Person(op).agent.get(url, { cookie })
  return new URL(headers.get('location') ?? '').searchParams
}

async function sessionsOf({ provider }: Op, { agent }: Person): Promise<string[]> {
  const session = await provider.Session.find(agent.cookie('_session') ?? '')
  return session ? [session.uid] : []
}

async function announces({ issuer }: Op): Promise<boolean> {
  const response = await fetch(`${issuer}/.well-known/openid-configuration`)
  return 'backchannel_logout_supported' in ((await response.json()) as object)
}

async function newSigningKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  return { ...(await exportJWK(privateKey)), kid: 'another', use: 'sig' }
}

function refusal({ status, body }: Awaited<ReturnType<Client['exchange']>>): unknown[] {
  return [status, body['error']]
}
