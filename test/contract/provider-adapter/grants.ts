import assert from 'node:assert/strict'
import type { AdapterFactory } from '../../../lib/index.ts'
import { forEachCaller, type MakeLog } from './adapter-under-test.ts'
import { GRANTABLES, newId, sample } from './samples.ts'

export function grantsContract(makeLog: MakeLog): void {
  forEachCaller('revoking what was issued under a grant', makeLog, (caller) => {
    for (const model of GRANTABLES) {
      it(`takes the ${model} with it, and leaves those of other grants and those that are issued later`, async () => {
        const [grantId, otherGrantId] = [newId(), newId()]
        const [one, two, other] = [newId(), newId(), newId()]
        for (const [id, grant] of [
          [one, grantId],
          [two, grantId],
          [other, otherGrantId],
        ] as const) {
          await caller.run((adapter) => adapter(model).upsert(id, sample(model, id, { grantId: grant }), 60))
        }
        await caller.run((adapter) => adapter(model).revokeByGrantId(grantId))
        for (const id of [one, two]) assert.equal(await caller.run((adapter) => adapter(model).find(id)), undefined)
        assert.ok(await caller.run((adapter) => adapter(model).find(other)))
        const later = newId()
        await caller.run((adapter) => adapter(model).upsert(later, sample(model, later, { grantId }), 60))
        assert.ok(await caller.run((adapter) => adapter(model).find(later)))
      })
    }

    it('takes only the models it is asked for, and never the grant', async () => {
      const grantId = newId()
      const [code, token] = [newId(), newId()]
      await caller.run(async (adapter) => {
        await adapter('Grant').upsert(grantId, sample('Grant', grantId), 60)
        await adapter('AuthorizationCode').upsert(code, sample('AuthorizationCode', code, { grantId }), 60)
        await adapter('AccessToken').upsert(token, sample('AccessToken', token, { grantId }), 60)
      })
      await caller.run((adapter) => adapter('AuthorizationCode').revokeByGrantId(grantId))
      assert.equal(await caller.run((adapter) => adapter('AuthorizationCode').find(code)), undefined)
      assert.ok(await caller.run((adapter) => adapter('AccessToken').find(token)))
      assert.ok(await caller.run((adapter) => adapter('Grant').find(grantId)))
    })

    it('takes what was used, too: reuse of a revoked code meets nothing', async () => {
      const [grantId, code] = [newId(), newId()]
      await caller.run((adapter) =>
        adapter('AuthorizationCode').upsert(code, sample('AuthorizationCode', code, { grantId }), 60),
      )
      await caller.run((adapter) => adapter('AuthorizationCode').consume(code))
      await caller.run((adapter) => adapter('AuthorizationCode').revokeByGrantId(grantId))
      assert.equal(await caller.run((adapter) => adapter('AuthorizationCode').find(code)), undefined)
    })

    it('may be asked again, and of a grant that holds nothing', async () => {
      const [grantId, token, refresh] = [newId(), newId(), newId()]
      for (const [model, id] of [
        ['AccessToken', token],
        ['RefreshToken', refresh],
      ] as const) {
        await caller.run((adapter) => adapter(model).upsert(id, sample(model, id, { grantId }), 60))
      }
      for (const _ of [1, 2, 3]) await caller.run((adapter) => revokeAll(adapter, grantId))
      for (const _ of [1, 2]) await caller.run((adapter) => revokeAll(adapter, newId()))
      for (const [model, id] of [
        ['AccessToken', token],
        ['RefreshToken', refresh],
      ] as const) {
        assert.equal(await caller.run((adapter) => adapter(model).find(id)), undefined)
      }
    })

    it('takes all models with the end of the grant, stored or not, and for good', async () => {
      for (const isStored of [true, false]) {
        const grantId = newId()
        if (isStored) await caller.run((adapter) => adapter('Grant').upsert(grantId, sample('Grant', grantId), 60))
        const ids = new Map(GRANTABLES.map((model) => [model, newId()]))
        for (const [model, id] of ids)
          await caller.run((adapter) => adapter(model).upsert(id, sample(model, id, { grantId }), 60))
        await caller.run((adapter) => adapter('Grant').destroy(grantId))
        await caller.run((adapter) => adapter('Grant').upsert(grantId, sample('Grant', grantId), 60))
        for (const [model, id] of ids) assert.equal(await caller.run((adapter) => adapter(model).find(id)), undefined)
      }
    })

    it('ends the grant at the 101st time, and what is issued under it afterwards lives', async () => {
      const [grantId, token] = [newId(), newId()]
      await caller.run((adapter) => adapter('Grant').upsert(grantId, sample('Grant', grantId), 60))
      for (let n = 0; n < 100; n++) await caller.run((adapter) => adapter('AccessToken').revokeByGrantId(grantId))
      assert.ok(await caller.run((adapter) => adapter('Grant').find(grantId)))
      await caller.run((adapter) => adapter('AccessToken').upsert(token, sample('AccessToken', token, { grantId }), 60))
      assert.ok(await caller.run((adapter) => adapter('AccessToken').find(token)))
      await caller.run((adapter) => adapter('AccessToken').revokeByGrantId(grantId))
      assert.equal(await caller.run((adapter) => adapter('Grant').find(grantId)), undefined)
      assert.equal(await caller.run((adapter) => adapter('AccessToken').find(token)), undefined)
      await caller.run((adapter) => adapter('Grant').upsert(grantId, sample('Grant', grantId), 60))
      const later = newId()
      await caller.run((adapter) => adapter('AccessToken').upsert(later, sample('AccessToken', later, { grantId }), 60))
      assert.ok(await caller.run((adapter) => adapter('AccessToken').find(later)))
    })

    it('takes a hundred', async () => {
      const grantId = newId()
      const ids = Array.from({ length: 100 }, newId)
      await Promise.all(
        ids.map((id) =>
          caller.run((adapter) => adapter('AccessToken').upsert(id, sample('AccessToken', id, { grantId }), 60)),
        ),
      )
      await caller.run((adapter) => revokeAll(adapter, grantId))
      const left = await Promise.all(ids.map((id) => caller.run((adapter) => adapter('AccessToken').find(id))))
      assert.deepEqual(
        left,
        ids.map(() => undefined),
      )
    })
  })
}

/** As the provider does: once for each model, all at once. */
export async function revokeAll(adapter: AdapterFactory, grantId: string): Promise<void> {
  await Promise.all(GRANTABLES.map((model) => adapter(model).revokeByGrantId(grantId)))
}
