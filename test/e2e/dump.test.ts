import assert from 'node:assert/strict'
import { Binary } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys } from '../../lib/index.ts'
import { backChannelLogout } from '../../plugins/back-channel-logout/index.ts'
import { DatabaseDump } from '../support/database-dump.ts'
import { approveDevice } from '../support/device-user.ts'
import { everyFeature } from '../support/every-feature.ts'
import { privateDatabase } from '../support/mongo-database.ts'
import { Client, type Op, Person, startOp, testClient } from '../support/op.ts'
import { newProofKey } from '../support/proofs.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'

const LOGIN = 'alice.of.the.dump@example.com'
const CIBA = 'urn:openid:params:grant-type:ciba'
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

describe('a dump of the database', () => {
  const mongo = privateDatabase()
  const rp = testClient('rp', {
    grant_types: ['authorization_code', 'refresh_token', 'client_credentials', DEVICE_CODE, CIBA],
    backchannel_token_delivery_mode: 'poll',
  })
  /** What was issued, by what it is. */
  const issued = new Map<string, string>()
  let told: RelyingParty
  let store: MongoEventStore
  let op: Op

  before(async () => {
    told = await startRp('told', { grant_types: ['authorization_code', 'refresh_token'] })
    store = await MongoEventStore.open(mongo.db, { keys: ephemeralKeys() })
    op = await startOp(store, {
      plugins: [backChannelLogout({ development: true, allowInternal: ['told'] })],
      clients: [rp, told.metadata],
      configuration: { features: everyFeature(LOGIN) },
    })
    await useEverything()
  })

  after(async () => {
    await op.stop()
    await told.stop()
    await store.close()
  })

  it('has everything in it: what may be in the clear is found', async () => {
    const dump = await DatabaseDump.of(mongo.db)
    assert.ok(dump.documents > 30, `${dump.documents} documents`)
    for (const collection of ['consumers', 'counters', 'deliveries', 'events'])
      assert.ok(dump.collections.includes(collection), `${collection} is not in ${dump.collections}`)
    for (const known of ['told', 'AuthorizationCode', 'session_logout.terminated', op.issuer])
      assert.ok(dump.holds(known), `${known} is not found`)
  })

  it('has no token, code, cookie, user code or secret in it that was issued, and no login', async () => {
    assert.ok(issued.size > 30, `${issued.size} things issued`)
    for (const [what, value] of issued) assert.ok(value.length >= 8, `${what} is ${value}`)
    const dump = await DatabaseDump.of(mongo.db)
    const found = [...issued].filter(([, value]) => dump.holds(value)).map(([what]) => what)
    assert.deepEqual(found, [])
    assert.equal(dump.holds(LOGIN), false)
    assert.equal(dump.holds(told.uri), false)
  })

  it('would show each of them, in any form', async () => {
    const planted = mongo.db.collection<{ _id: number; nested: object[] }>('planted')
    const forms: ((value: string) => unknown)[] = [
      (value) => value,
      (value) => `a.${value}`,
      (value) => ({ [value.replaceAll('.', '_')]: 1, value }),
      (value) => new Binary(Buffer.from(value)),
      (value) => Buffer.from(value).toString('base64'),
      (value) => Buffer.from(value).toString('hex'),
    ]
    try {
      for (const form of forms) {
        const rows = [...issued.values()].map((value, _id) => ({ _id, nested: [{ deep: form(value) }] }))
        await planted.insertMany(rows)
        const dump = await DatabaseDump.of(mongo.db)
        const missed = [...issued].filter(([, value]) => !dump.holds(value)).map(([what]) => what)
        assert.deepEqual(missed, [], String(form))
        await planted.deleteMany({})
      }
    } finally {
      await planted.drop()
    }
  })

  /** Every kind of thing that the provider issues, at least once. */
  async function useEverything(): Promise<void> {
    const client = new Client(op, rp)
    const person = new Person(op)
    const tokens = (what: string, body: Record<string, unknown>): void => {
      for (const kind of ['access_token', 'refresh_token', 'id_token']) {
        if (typeof body[kind] === 'string') issue(`${kind} of ${what}`, body[kind])
      }
    }

    // Both codes and refresh tokens: some used, some not.
    const offline = { login: LOGIN, scope: 'openid offline_access', prompt: 'consent' }
    await withInteractions(person, 'rp')
    const code = issue('code', (await person.authorize('rp', offline)).get('code'))
    issue('unused code', (await person.authorize('rp', offline)).get('code'))
    cookies('after a login', person)
    const exchanged = await client.exchange(code)
    tokens('the exchange', exchanged.body)
    tokens('the refresh', (await client.refresh(String(exchanged.body['refresh_token']))).body)
    tokens('client credentials', (await client.token({ grant_type: 'client_credentials' })).body)

    const pushed = await client.push({
      response_type: 'code',
      redirect_uri: 'https://rp.example.com/cb',
      scope: 'openid',
    })
    const requestUri = issue('request_uri', pushed.body['request_uri'])
    issue('id in the request_uri', requestUri.split(':').at(-1))

    const device = await client.startDevice()
    issue('device code', device.body['device_code'])
    const userCode = issue('user code', device.body['user_code'])
    issue('user code without its dash', userCode.replaceAll('-', ''))
    const atDevice = new Person(op)
    await approveDevice(atDevice, op, userCode, LOGIN)
    cookies('of the device’s user', atDevice)
    const deviceCode = String(device.body['device_code'])
    tokens('the device', (await client.token({ grant_type: DEVICE_CODE, device_code: deviceCode })).body)
    issue('pending device code', (await client.startDevice()).body['device_code'])

    const ciba = await client.startCiba({ login_hint: LOGIN, scope: 'openid' })
    const authReqId = issue('auth_req_id', ciba.body['auth_req_id'])
    const grant = new op.provider.Grant({ clientId: 'rp', accountId: LOGIN })
    grant.addOIDCScope('openid')
    await grant.save()
    await op.provider.backchannelResult(authReqId, grant)
    tokens('CIBA', (await client.token({ grant_type: CIBA, auth_req_id: authReqId })).body)

    const initial = issue('initial access token', await new op.provider.InitialAccessToken({}).save())
    const registered = await json('POST', '/reg', initial, { redirect_uris: ['https://dynamic.example.com/cb'] })
    issue('client secret', registered['client_secret'])
    const before = issue('registration access token', registered['registration_access_token'])
    const {
      registration_access_token: _,
      registration_client_uri: __,
      client_secret_expires_at: ___,
      ...metadata
    } = registered
    delete metadata['client_id_issued_at']
    const updated = await json('PUT', `/reg/${registered['client_id']}`, before, metadata)
    issue('rotated registration access token', updated['registration_access_token'])

    const proof = await newProofKey()
    const assertion = await proof.assertion('rp', op.issuer)
    issue('client assertion', assertion['client_assertion'])
    const dpop = await proof.dpop('POST', `${op.issuer}/token`)
    issue('DPoP proof', dpop)
    issue('jti of the DPoP proof', JSON.parse(Buffer.from(dpop.split('.')[1] ?? '', 'base64url').toString()).jti)
    tokens('DPoP', (await client.token({ grant_type: 'client_credentials' }, { dpop })).body)

    // A logout of which RPs are told, and another session that lives on.
    const leaving = new Person(op)
    await leaving.authorize('told', { login: LOGIN })
    cookies('of a session that ended', leaving)
    assert.equal((await leaving.logout()).status, 303)
    issue('logout token', (await told.received(1))[0])
    cookies('at the end', person)
  }

  /** Cookies of interactions are gone when they have ended: those of one that goes on. */
  async function withInteractions(person: Person, clientId: string): Promise<void> {
    await person.agent.follow(await person.agent.get(person.authorizationUrl(clientId)))
    cookies('during an interaction', person)
  }

  function cookies(when: string, person: Person): void {
    for (const [n, value] of person.agent.cookieValues().entries()) issue(`cookie ${n} ${when}`, value)
  }

  function issue(what: string, value: unknown): string {
    assert.equal(typeof value, 'string', `no ${what} was issued`)
    issued.set(what, String(value))
    return String(value)
  }

  async function json(method: string, path: string, token: string, body: object): Promise<Record<string, unknown>> {
    const response = await fetch(`${op.issuer}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${await response.clone().text()}`)
    return (await response.json()) as Record<string, unknown>
  }
})
