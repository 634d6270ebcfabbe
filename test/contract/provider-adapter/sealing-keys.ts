import assert from 'node:assert/strict'
import type { EventStore } from '../../../lib/index.ts'
import { rejectsWith } from '../event-store/expect.ts'
import { alone, inRequests, keysNamed, type MakeLog, openedStore, withKeys } from './adapter-under-test.ts'
import { newId, sample } from './samples.ts'

export function sealingKeysContract(makeLog: MakeLog): void {
  describe('keys that seal', () => {
    const opened = openedStore(makeLog)

    it('open what older ones sealed; the newest seals', async () => {
      const [before, after] = [newId(), newId()]
      await alone(opened.store).run((adapter) => adapter('Client').upsert(before, sample('Client', before), 60))
      const rotated = withKeys(opened.store, keysNamed(['s2', 's1'], ['h1']))
      await alone(rotated).run((adapter) => adapter('Client').upsert(after, sample('Client', after), 60))
      for (const id of [before, after]) {
        assert.equal((await alone(rotated).run((adapter) => adapter('Client').find(id)))?.['client_id'], id)
      }
      assert.deepEqual(await Promise.all([before, after].map((id) => sealedWith('Client', id))), ['s1', 's2'])
      // The process that does not have the new key yet.
      await rejectsWith('KEY_UNKNOWN', () => alone(opened.store).run((adapter) => adapter('Client').find(after)))
    })

    it('seal the keys of accounts, anew when something is stored of the account', async () => {
      const accountId = newId()
      const grants = [newId(), newId(), newId()] as const
      const store = async (log: EventStore, id: string): Promise<void> => {
        await alone(log).run((adapter) => adapter('Grant').upsert(id, { ...sample('Grant', id), accountId }, 60))
      }
      await store(opened.store, grants[0])
      const own = await sealedWith('Grant', grants[0])
      assert.match(own, /^~/)
      const key = async (): Promise<string> =>
        String((await opened.store.accountKeys.find([own.slice(1)]))[0]?.sealed).split('.')[0] ?? ''
      assert.equal(await key(), 's1')
      const rotated = withKeys(opened.store, keysNamed(['s2', 's1'], ['h1']))
      await store(rotated, grants[1])
      assert.deepEqual([await sealedWith('Grant', grants[1]), await key()], [own, 's2'])
      // The former key is not needed any more, by anything of the account.
      const later = withKeys(opened.store, keysNamed(['s2'], ['h1']))
      for (const id of grants.slice(0, 2))
        assert.equal((await alone(later).run((adapter) => adapter('Grant').find(id)))?.['jti'], id)
      // Where the key of the ring is lost the account goes on with another one: somebody must be able to log in.
      const lost = withKeys(opened.store, keysNamed(['s9'], ['h1']))
      await store(lost, grants[2])
      assert.notEqual(await sealedWith('Grant', grants[2]), own)
      assert.equal((await alone(lost).run((adapter) => adapter('Grant').find(grants[2])))?.['jti'], grants[2])
      await rejectsWith('KEY_UNKNOWN', () => alone(lost).run((adapter) => adapter('Grant').find(grants[0])))
    })

    it('that are retired make what they sealed as good as gone: nobody is turned away with an error', async () => {
      const [grant, session, uid] = [newId(), newId(), newId()]
      await alone(opened.store).run((adapter) => adapter('Grant').upsert(grant, sample('Grant', grant), 60))
      const anonymous = sample('Session', session, { uid, accountId: undefined })
      await alone(opened.store).run((adapter) => adapter('Session').upsert(session, anonymous, 60))
      const retired = withKeys(opened.store, { ...keysNamed(['s7'], ['h1']), retired: ['s1'] })
      for (const caller of [alone(retired), inRequests(retired)]) {
        assert.equal(await caller.run((adapter) => adapter('Session').find(session)), undefined)
        assert.equal(await caller.run((adapter) => adapter('Session').findByUid(uid)), undefined)
        assert.equal(await caller.run((adapter) => adapter('Grant').find(grant)), undefined)
      }
    })

    it('that are missing are named, in a request as well', async () => {
      const id = newId()
      await alone(opened.store).run((adapter) => adapter('Session').upsert(id, sample('Session', id, { uid: id }), 60))
      const other = withKeys(opened.store, keysNamed(['s3'], ['h1']))
      for (const caller of [alone(other), inRequests(other)]) {
        for (const find of ['find', 'findByUid'] as const) {
          const error = await rejectsWith('KEY_UNKNOWN', () => caller.run((adapter) => adapter('Session')[find](id)))
          assert.match(error.message, /"s1".*s3/)
        }
      }
    })

    it('do not open what was moved to another stream, or altered', async () => {
      const [id, other] = [newId(), newId()]
      await alone(opened.store).run((adapter) => adapter('Grant').upsert(id, sample('Grant', id), 60))
      const [from] = opened.store.keys.streams('Grant', id)
      const [to] = opened.store.keys.streams('Grant', other)
      const data = (await opened.store.latest(from))?.events[0]?.data
      assert.ok(data)
      await opened.store.append({ events: [{ stream: to, type: 'stored', data }] })
      await rejectsWith('SEAL_BROKEN', () => alone(opened.store).run((adapter) => adapter('Grant').find(other)))
    })

    it('say nothing about events of an unknown type: those need a newer version of this package', async () => {
      for (const model of ['Grant', 'Client', 'Session'] as const) {
        const id = newId()
        await alone(opened.store).run((adapter) => adapter(model).upsert(id, sample(model, id), 60))
        const [stream] = opened.store.keys.streams(model, id)
        await opened.store.append({ events: [{ stream, type: 'suspended', data: {} }] })
        for (const caller of [alone(opened.store), inRequests(opened.store)]) {
          await rejectsWith('EVENT_TYPE_UNKNOWN', () => caller.run((adapter) => adapter(model).find(id)))
        }
      }
    })

    async function sealedWith(model: string, id: string): Promise<string> {
      const [stream] = opened.store.keys.streams(model, id)
      return String((await opened.store.latest(stream))?.events[0]?.data['sealed']).split('.')[0] ?? ''
    }
  })
}
