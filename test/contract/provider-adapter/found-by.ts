import assert from 'node:assert/strict'
import { forEachCaller, type MakeLog } from './adapter-under-test.ts'
import { newId, sample } from './samples.ts'

export function foundByContract(makeLog: MakeLog): void {
  forEachCaller('a session', makeLog, (caller) => {
    it('is found by its uid', async () => {
      const [id, uid] = [newId(), newId()]
      const payload = sample('Session', id, { uid })
      await caller.run((adapter) => adapter('Session').upsert(id, payload, 60))
      assert.deepEqual(await caller.run((adapter) => adapter('Session').findByUid(uid)), payload)
      assert.equal(await caller.run((adapter) => adapter('Session').findByUid(newId())), undefined)
      assert.equal(await caller.run((adapter) => adapter('Session').findByUid(id)), undefined)
    })

    it('is found by its uid as it was stored last', async () => {
      const [id, uid] = [newId(), newId()]
      for (const n of [1, 2, 3, 4]) {
        await caller.run(async (adapter) => {
          await adapter('Session').find(id)
          await adapter('Session').upsert(id, sample('Session', id, { uid, n }), 60)
        })
      }
      assert.equal((await caller.run((adapter) => adapter('Session').findByUid(uid)))?.['n'], 4)
    })

    it('is not found by its uid once it is destroyed', async () => {
      const [id, uid] = [newId(), newId()]
      await caller.run((adapter) => adapter('Session').upsert(id, sample('Session', id, { uid }), 60))
      await caller.run((adapter) => adapter('Session').destroy(id))
      assert.equal(await caller.run((adapter) => adapter('Session').findByUid(uid)), undefined)
    })
  })

  forEachCaller('a device code', makeLog, (caller) => {
    it('is found by its user code, its mark included', async () => {
      const [id, userCode] = [newId(), newId()]
      const payload = sample('DeviceCode', id, { userCode })
      const find = () => caller.run((adapter) => adapter('DeviceCode').findByUserCode(userCode))
      assert.equal(await find(), undefined)
      await caller.run((adapter) => adapter('DeviceCode').upsert(id, payload, 60))
      assert.deepEqual(await find(), payload)
      await caller.run((adapter) => adapter('DeviceCode').upsert(id, { ...payload, accountId: 'alice' }, 60))
      assert.deepEqual(await find(), { ...payload, accountId: 'alice' })
      await caller.run((adapter) => adapter('DeviceCode').consume(id))
      assert.equal(typeof (await find())?.['consumed'], 'number')
      await caller.run((adapter) => adapter('DeviceCode').destroy(id))
      assert.equal(await find(), undefined)
    })

    it('is the newest where the same user code was given out before', async () => {
      const userCode = newId()
      const ids = [newId(), newId()]
      for (const id of ids) {
        await caller.run((adapter) => adapter('DeviceCode').upsert(id, sample('DeviceCode', id, { userCode }), 60))
      }
      const found = await caller.run((adapter) => adapter('DeviceCode').findByUserCode(userCode))
      assert.equal(found?.['jti'], ids[1])
      await caller.run((adapter) => adapter('DeviceCode').destroy(String(ids[0])))
      const still = await caller.run((adapter) => adapter('DeviceCode').findByUserCode(userCode))
      assert.equal(still?.['jti'], ids[1])
    })

    it('is found by its own user code beside others that the same request stores', async () => {
      const [one, two] = [newId(), newId()].map((id) => sample('DeviceCode', id))
      await caller.run(async (adapter) => {
        await adapter('Ticket').upsert('a ticket', { jti: 'a ticket', userCode: two?.['userCode'] }, 60)
        for (const payload of [one, two])
          await adapter('DeviceCode').upsert(String(payload?.['jti']), payload ?? {}, 60)
        for (const payload of [one, two])
          assert.deepEqual(await adapter('DeviceCode').findByUserCode(String(payload?.['userCode'])), payload)
        assert.equal(await adapter('DeviceCode').findByUserCode(newId()), undefined)
      })
    })

    it('that was found by its user code can be consumed, saved and destroyed in the same request', async () => {
      const [id, userCode] = [newId(), newId()]
      await caller.run((adapter) => adapter('DeviceCode').upsert(id, sample('DeviceCode', id, { userCode }), 60))
      await caller.run(async (adapter) => {
        const found = await adapter('DeviceCode').findByUserCode(userCode)
        await adapter('DeviceCode').upsert(id, { ...found, accountId: 'bob' }, 60)
        assert.equal((await adapter('DeviceCode').findByUserCode(userCode))?.['accountId'], 'bob')
        await adapter('DeviceCode').consume(id)
        assert.equal(typeof (await adapter('DeviceCode').findByUserCode(userCode))?.['consumed'], 'number')
      })
      const found = await caller.run((adapter) => adapter('DeviceCode').find(id))
      assert.equal(found?.['accountId'], 'bob')
      assert.equal(typeof found?.['consumed'], 'number')
      await caller.run(async (adapter) => {
        await adapter('DeviceCode').destroy(id)
        assert.equal(await adapter('DeviceCode').findByUserCode(userCode), undefined)
      })
    })
  })
}
