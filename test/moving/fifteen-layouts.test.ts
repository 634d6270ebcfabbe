import assert from 'node:assert/strict'
import type { Db } from 'mongodb'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import {
  detectLayout,
  type Layout,
  type MigrationReport,
  migrate,
  verify,
} from '../../adapters/mongodb/moving/index.ts'
import type { EventSourced, EventStore } from '../../lib/index.ts'
import { isGrantable } from '../../lib/provider/models.ts'
import { type OpenedDatabase, openDatabase } from '../support/mongo-database.ts'
import { startedOp } from '../support/started-op.ts'
import { decrypted, FIFTEEN, type KnownLayout } from './fifteen-layouts.ts'
import { type Population, populate } from './population.ts'

for (const known of FIFTEEN) {
  describe(`moving in from layout ${known.name}`, () => {
    let database: OpenedDatabase
    let store: EventStore
    let op: EventSourced
    let population: Population
    let layout: Layout

    before(async () => {
      database = await openDatabase('moving')
      await database.db.collection('users').insertOne({ name: 'alice', email: 'alice@example.com' })
      population = await populate(database.db, known)
      layout = await detectLayout(database.db)
    })

    beforeEach(async () => {
      store = new MemoryEventStore()
      op = await startedOp(store)
    })

    afterEach(async () => {
      await op.stop()
      await store.close()
    })

    after(() => database.drop())

    const pass = (more: object = {}): Promise<MigrationReport> =>
      migrate({ from: database.db, op, layout, ...(known.secretsEncrypted && { transform: decrypted }), ...more })

    it('proposes its mapping, and leaves out what is not oidc-provider’s', async () => {
      const detected = await detectLayout(database.db)
      assert.deepEqual(detected.ignored, ['users'])
      for (const { model } of population.live) {
        const proposed = known.proposed(model)
        const found = detected.collections.find(({ collection }) => collection === proposed.collection)
        assert.ok(found, `no proposal for ${model}`)
        assert.deepEqual({ ...found, ...proposed }, found)
        assert.equal(found.recordsUse ?? true, !known.losesUse || !mayBeUsed(found.model))
      }
    })

    it('finds each planted anomaly in a dry run, and writes nothing', async () => {
      const { anomalies, models } = await pass({ dryRun: true, op: undefined })
      const expected = { ...population.anomalies, ...invalidDates(known, population) }
      assert.deepEqual(Object.fromEntries(anomalies.map(({ code, count }) => [code, count])), expected)
      for (const { samples } of anomalies) assert.ok(samples.length > 0)
      const text = JSON.stringify(anomalies)
      for (const { id } of [...population.live, ...population.left]) assert.ok(!text.includes(id))
      assert.equal(models['AccessToken']?.expired, 1)
      await pass({ dryRun: true })
      assert.equal(await store.end(), 0)
    })

    it('gives the same answers through both adapters', async () => {
      const before = await dump(database.db)
      await pass()
      for (const { model, id } of population.live) {
        const found = await op.adapter(model).find(id)
        assert.deepEqual(found, used(await population.adapter(model).find(id), found), `${model} differs`)
        if (model === 'Session') assert.deepEqual(await op.adapter(model).findByUid(String(found?.['uid'])), found)
        if (model === 'DeviceCode')
          assert.deepEqual(await op.adapter(model).findByUserCode(String(found?.['userCode'])), found)
      }
      for (const { model, id, why } of population.left)
        assert.equal(await op.adapter(model).find(id), undefined, `${why} was taken`)
      assert.deepEqual(await dump(database.db), before)
    })

    it('is verified document by document, and does nothing more in a second pass', async () => {
      await pass()
      const end = await store.end()
      const verification = await verify({
        from: database.db,
        op,
        layout,
        sampleEvery: 1,
        ...(known.secretsEncrypted && { transform: decrypted }),
      })
      assert.deepEqual(verification.differences, [])
      assert.ok(verification.agrees)
      const sum = (of: (counts: { live: number; same: number; older: number }) => number): number =>
        Object.values(verification.models).reduce((total, counts) => total + of(counts), 0)
      assert.equal(
        sum(({ same }) => same),
        population.live.length,
      )
      assert.equal(
        sum(({ live }) => live),
        population.live.length + (known.uniqueUid ? 0 : 1),
      )
      const again = await pass({ stopped: true })
      assert.equal(await store.end(), end)
      for (const counts of Object.values(again.models)) assert.equal(counts.stored + counts.ended + counts.kept, 0)
    })
  })
}

function mayBeUsed(model: string | { readonly field: string }): boolean {
  return typeof model !== 'string' || (isGrantable(model) && model !== 'AccessToken')
}

/** What one of them says of its own expiry is no time. */
function invalidDates({ name }: KnownLayout, { live }: Population): Record<string, number> {
  return name.startsWith('3:') ? { expiry_invalid: live.length + 1 } : {}
}

/** When it was used an adapter may say in another form; the log has seconds. */
function used(former: object | undefined, found: object | undefined): object | undefined {
  if (!former || !('consumed' in former)) return former
  const { consumed } = (found ?? {}) as { consumed?: unknown }
  assert.ok(typeof consumed === 'number' && consumed > 1e9 && consumed <= Date.now() / 1000)
  return { ...former, consumed }
}

async function dump(db: Db): Promise<unknown[]> {
  const names = (await db.listCollections().toArray()).map(({ name }) => name).sort()
  return Promise.all(names.map(async (name) => [name, await db.collection(name).find().sort({ _id: 1 }).toArray()]))
}
