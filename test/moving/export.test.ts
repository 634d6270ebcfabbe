import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { detectLayout, exportClassic, migrate, verify } from '../../adapters/mongodb/moving/index.ts'
import { type EventSourced, type EventStore, eventSourced, silent } from '../../lib/index.ts'
import type { ModelName } from '../../lib/provider/models.ts'
import { MODELS, newId, sample } from '../contract/provider-adapter/samples.ts'
import { type OpenedDatabase, openDatabase } from '../support/mongo-database.ts'
import { Client, type Op, Person, startOp, testClient } from '../support/op.ts'
import { startPlainOp } from '../support/plain-adapter.ts'
import { startedOp } from '../support/started-op.ts'
import { FIFTEEN } from './fifteen-layouts.ts'
import { FormerAdapter } from './former-adapter.ts'

const [{ style } = { style: undefined as never }] = FIFTEEN

describe('an export in the classic layout', () => {
  let database: OpenedDatabase
  let store: EventStore
  let op: EventSourced
  let ids: [ModelName, string][]

  const classic = (model: string): FormerAdapter => new FormerAdapter(database.db, model, style)

  beforeEach(async () => {
    database = await openDatabase('export')
    store = new MemoryEventStore()
    op = await startedOp(store)
    ids = []
    for (const model of MODELS) for (let n = 0; n < 3; n++) ids.push([model, await put(model)])
  })

  afterEach(async () => {
    await op.stop()
    await store.close()
    await database.drop()
  })

  async function put(model: ModelName, more: object = {}): Promise<string> {
    const id = newId()
    await op.adapter(model).upsert(id, { ...sample(model, id), ...more })
    return id
  }

  it('is what the example adapter of oidc-provider reads', async () => {
    const token = await put('RefreshToken')
    await op.adapter('RefreshToken').consume(token)
    const [, saved = ''] = ids.find(([model]) => model === 'Grant') ?? []
    await op.adapter('Grant').upsert(saved, sample('Grant', saved, { openid: { scope: 'openid email' } }))
    const { models } = await exportClassic({ op, to: database.db })
    for (const [model, id] of [...ids, ['RefreshToken', token] as const]) {
      const answer = await op.adapter(model).find(id)
      assert.ok(answer)
      assert.deepEqual(await classic(model).find(id), answer)
      if (model === 'Session') assert.deepEqual(await classic(model).findByUid(String(answer['uid'])), answer)
      if (model === 'DeviceCode')
        assert.deepEqual(await classic(model).findByUserCode(String(answer['userCode'])), answer)
      assert.equal(models[model]?.written, model === 'RefreshToken' ? 4 : 3)
    }
    const grant = await database.db.collection('grant').findOne({})
    assert.deepEqual(grant?.['expiresAt'], new Date(grant?.['payload'].exp * 1000))
    assert.equal((await database.db.collection('client').findOne({}))?.['expiresAt'], undefined)
  })

  it('leaves behind what has expired, ended or was revoked, and models whose ids nobody knows', async () => {
    const grantId = await put('Grant')
    const gone: [ModelName, string][] = [
      ['AccessToken', await put('AccessToken', { exp: 1_000 })],
      ['AccessToken', await put('AccessToken', { grantId })],
      ['Grant', grantId],
    ]
    await op.adapter('Grant').destroy(grantId)
    await op.adapter('PasskeyChallenge').upsert(newId(), { challenge: 'x' })
    const { models } = await exportClassic({ op, to: database.db })
    for (const [model, id] of gone) assert.equal(await classic(model).find(id), undefined)
    assert.deepEqual(models['AccessToken'], { written: 3, expired: 1, withoutId: 0, removed: 0 })
    assert.deepEqual(models['PasskeyChallenge'], { written: 0, expired: 0, withoutId: 1, removed: 0 })
  })

  it('gives the same answers when it is moved in again', async () => {
    await op.adapter('AuthorizationCode').consume(await put('AuthorizationCode'))
    await exportClassic({ op, to: database.db })
    const again = new MemoryEventStore()
    const other = await startedOp(again)
    const layout = await detectLayout(database.db)
    assert.deepEqual(layout.ignored, ['eventstore_export'])
    const { anomalies } = await migrate({ from: database.db, op: other, layout })
    assert.deepEqual(
      anomalies.map(({ code }) => code),
      ['grant_missing'], // those of the samples have none
    )
    for (const [model, id] of ids) {
      const answer = await op.adapter(model).find(id)
      assert.deepEqual(await other.adapter(model).find(id), answer)
      if (model === 'Session') assert.deepEqual(await other.adapter(model).findByUid(String(answer?.['uid'])), answer)
    }
    assert.ok((await verify({ from: database.db, op: other, layout, sampleEvery: 1 })).agrees)
    await other.stop()
    await again.close()
  })

  it('is of use for codes although none was used: it knows that their use is recorded', async () => {
    await exportClassic({ op, to: database.db })
    for (const { recordsUse } of (await detectLayout(database.db)).collections) assert.equal(recordsUse, undefined)
  })

  it('brought up to date, removes what has ended since, and writes what is new', async () => {
    await exportClassic({ op, to: database.db })
    const [session, grant] = ['Session', 'Grant'].map((model) => ids.find(([name]) => name === model)?.[1]) as [
      string,
      string,
    ]
    const [uid, next, later] = [(await op.adapter('Session').find(session))?.['uid'], newId(), await put('AccessToken')]
    const rotated = { ...(await op.adapter('Session').find(session)), jti: next }
    await op.adapter('Session').upsert(next, rotated)
    await op.adapter('Session').destroy(session)
    await op.adapter('Grant').destroy(grant)
    const { models } = await exportClassic({ op, to: database.db })
    assert.equal(models['Grant']?.removed, 1)
    assert.equal(await classic('Grant').find(grant), undefined)
    assert.equal(await classic('Session').find(session), undefined)
    assert.deepEqual(
      await classic('Session').findByUid(String(uid)),
      await op.adapter('Session').findByUid(String(uid)),
    )
    assert.ok(await classic('AccessToken').find(later))
  })

  it('is not written over what something else has stored', async () => {
    await database.db.collection('session').insertOne({ who: 'somebody else' })
    await assert.rejects(exportClassic({ op, to: database.db }), { code: 'TARGET_IN_USE', message: /\.session / })
    assert.equal(await database.db.collection('grant').countDocuments(), 0)
    for (const options of [{ op }, { to: database.db }, { op, to: database.db, typo: 1 }])
      await assert.rejects(exportClassic(options as never), { code: 'OPTION_INVALID' })
  })

  it('cannot begin before the OP has started: nobody knows which issuer it is of', async () => {
    const idle = eventSourced(store, { logger: silent })
    await assert.rejects(exportClassic({ op: idle, to: database.db }), { code: 'PROVIDER_UNFIT' })
  })
})

describe('an OP on the log that is replaced by one on the example adapter', () => {
  let database: OpenedDatabase
  let store: EventStore
  let before: Op
  let after: Awaited<ReturnType<typeof startPlainOp>> | undefined

  beforeEach(async () => {
    database = await openDatabase('leaving')
    store = new MemoryEventStore()
    before = await startOp(store, { configuration: { scopes: ['openid', 'offline_access'] } })
  })

  afterEach(async () => {
    await after?.stop()
    await store.close()
    await database.drop()
  })

  it('goes on with its sessions, refresh tokens and grants', async () => {
    const alice = new Person(before)
    const code = (await alice.authorize('rp', { scope: 'openid offline_access', prompt: 'consent' })).get('code')
    const { body } = await new Client(before, testClient('rp')).exchange(String(code))
    await before.stop()
    await exportClassic({ op: before.eventSourced, to: database.db })
    const adapter = (model: string): FormerAdapter => new FormerAdapter(database.db, model, style)
    const configuration = { scopes: ['openid', 'offline_access'] }
    after = await startPlainOp({ adapter }, { configuration, port: before.port })
    assert.equal(after.issuer, before.issuer)
    const client = new Client(after, testClient('rp'))
    assert.equal((await client.refresh(String(body['refresh_token']))).status, 200)
    assert.equal((await client.userinfo(String(body['access_token']))).status, 200)
    assert.ok((await alice.authorize('rp', { prompt: 'none' })).has('code'))
    assert.equal((await client.exchange(String(code))).body['error'], 'invalid_grant')
  })
})
