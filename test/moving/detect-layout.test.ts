import assert from 'node:assert/strict'
import { type Document, ObjectId } from 'mongodb'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { detectLayout, migrate } from '../../adapters/mongodb/moving/index.ts'
import { newId, sample } from '../contract/provider-adapter/samples.ts'
import { type OpenedDatabase, openDatabase } from '../support/mongo-database.ts'
import { startedOp } from '../support/started-op.ts'

describe('a look at a database', () => {
  let database: OpenedDatabase

  beforeEach(async () => {
    database = await openDatabase('detect')
  })

  afterEach(() => database.drop())

  const insert = (collection: string, ...documents: Document[]) =>
    database.db.collection(collection).insertMany(documents)

  function grant(more: Document = {}): Document {
    const id = newId()
    return { _id: id, payload: sample('Grant', id), ...more } as Document
  }

  it('finds nothing where oidc-provider has stored nothing', async () => {
    await assert.rejects(detectLayout(database.db), { code: 'LAYOUT_UNKNOWN' })
    await insert('session', { _id: 's' as never, expires: new Date(), session: '{"cookie":{}}' })
    await insert('client', { name: 'a customer' })
    await insert('events', { c: 'x', s: ['Grant:x'], e: [{ s: 'Grant:x', t: 'stored', d: { model: 'Grant' } }] })
    await assert.rejects(detectLayout(database.db), { code: 'LAYOUT_UNKNOWN', message: /describe its collections/ })
  })

  it('leaves out collections of the same name that hold something else', async () => {
    await insert('grant', grant())
    await insert('session', { _id: 's' as never, expires: new Date(), session: '{"cookie":{}}' })
    const { collections, ignored } = await detectLayout(database.db)
    assert.deepEqual([collections.map(({ collection }) => collection), ignored], [['grant'], ['session']])
  })

  it('takes collections that are empty yet for what they are called after', async () => {
    await insert('op_grant', grant({ expiresAt: new Date() }))
    await database.db.createCollection('op_device_code')
    await database.db.createCollection('op_audit')
    const { collections, ignored } = await detectLayout(database.db)
    assert.deepEqual(collections, [
      { collection: 'op_grant', model: 'Grant', id: '_id', payload: 'payload', expiry: 'expiresAt' },
      { collection: 'op_device_code', model: 'DeviceCode', id: '_id', payload: 'payload', expiry: 'expiresAt' },
    ])
    assert.deepEqual(ignored, ['op_audit'])
  })

  it('asks whose documents are meant where there are several tenants', async () => {
    const of = (tenant: string): Document => {
      const { _id: id, payload } = grant()
      return { _id: `${tenant.length}:${tenant}:${id}`, tenant_id: tenant, logical_id: id, data: payload } as Document
    }
    const [ours, others] = [of('acme'), [of('umbrella'), of('umbrella')]]
    await insert('Grant', ours, ...others)
    await assert.rejects(detectLayout(database.db), { code: 'LAYOUT_UNKNOWN', message: /acme.*`tenant`/ })
    await assert.rejects(detectLayout(database.db, { tenant: 'nobody' }), { code: 'LAYOUT_UNKNOWN', message: /nobody/ })
    const layout = await detectLayout(database.db, { tenant: 'acme' })
    const store = new MemoryEventStore()
    const op = await startedOp(store)
    const { models } = await migrate({ from: database.db, op, layout })
    assert.deepEqual([models['Grant']?.read, models['Grant']?.stored], [1, 1])
    assert.ok(await op.adapter('Grant').find(String(ours['logical_id'])))
    await op.stop()
    await store.close()
  })

  it('sees ids that are ObjectIds, in `_id` and elsewhere, and takes them as their digits', async () => {
    const ids = [new ObjectId(), new ObjectId()]
    for (const id of ids)
      await insert('Client', { _id: id, data: { client_id: String(id), redirect_uris: ['https://rp/cb'] } })
    const layout = await detectLayout(database.db)
    assert.deepEqual(layout.collections, [{ collection: 'Client', model: 'Client', id: '_id', payload: 'data' }])
    const store = new MemoryEventStore()
    const op = await startedOp(store)
    await migrate({ from: database.db, op, layout })
    await database.db.collection('Client').deleteOne({ _id: ids[1] as ObjectId })
    const { models } = await migrate({ from: database.db, op, layout, stopped: true })
    assert.equal(models['Client']?.ended, 1)
    assert.ok(await op.adapter('Client').find(String(ids[0])))
    await op.stop()
    await store.close()
  })

  it('sees where use is kept beside the payload, and in which form', async () => {
    const id = newId()
    const used = new Date(1_700_000_000_000)
    const granted = grant()
    await insert('grant', granted)
    await insert('refresh_token', { _id: id, payload: sample('RefreshToken', id), consumedAt: used } as Document)
    const layout = await detectLayout(database.db)
    const tokens = layout.collections.find(({ collection }) => collection === 'refresh_token')
    assert.deepEqual([tokens?.consumed, tokens?.recordsUse], ['consumedAt', undefined])
    const store = new MemoryEventStore()
    const op = await startedOp(store)
    await migrate({ from: database.db, op, layout })
    assert.equal((await op.adapter('RefreshToken').find(id))?.['consumed'], 1_700_000_000)
    await op.stop()
    await store.close()
  })

  it('takes codes whose use was not recorded only where that is wished for', async () => {
    const id = newId()
    await insert('authorization_code', { _id: id, payload: sample('AuthorizationCode', id) } as Document)
    const layout = await detectLayout(database.db)
    assert.equal(layout.collections[0]?.recordsUse, false)
    const store = new MemoryEventStore()
    const op = await startedOp(store)
    const hasGrants = grant()
    await insert('grant', hasGrants)
    const grants = { collection: 'grant', model: 'Grant', id: '_id', payload: 'payload' }
    const all = { collections: [...layout.collections, grants] }
    assert.equal((await migrate({ from: database.db, op, layout: all })).models['AuthorizationCode']?.left, 1)
    const { models } = await migrate({ from: database.db, op, layout: all, codes: 'all' })
    assert.equal(models['AuthorizationCode']?.stored, 1)
    await op.stop()
    await store.close()
  })

  it('takes tokens for those of oidc-provider 6 where there are no grants at all', async () => {
    const id = newId()
    await insert('access_token', { _id: id, payload: sample('AccessToken', id) } as Document)
    const layout = await detectLayout(database.db)
    const { models, anomalies } = await migrate({ from: database.db, layout, dryRun: true })
    assert.equal(models['AccessToken']?.left, 1)
    assert.deepEqual(
      anomalies.map(({ code, count }) => [code, count]),
      [['former_token', 1]],
    )
  })
})
