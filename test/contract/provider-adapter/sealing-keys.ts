import assert from 'node:assert/strict'
import { rejectsWith } from '../event-store/expect.ts'
import { alone, inRequests, keysNamed, type MakeLog, openedStore, withKeys } from './adapter-under-test.ts'
import { newId, sample } from './samples.ts'

export function sealingKeysContract(makeLog: MakeLog): void {
  describe('keys that seal', () => {
    const opened = openedStore(makeLog)

    it('open what older ones sealed; the newest seals', async () => {
      const [before, after] = [newId(), newId()]
      await alone(opened.store).run((adapter) => adapter('Grant').upsert(before, sample('Grant', before), 60))
      const rotated = withKeys(opened.store, keysNamed(['s2', 's1'], ['h1']))
      await alone(rotated).run((adapter) => adapter('Grant').upsert(after, sample('Grant', after), 60))
      for (const id of [before, after]) {
        assert.equal((await alone(rotated).run((adapter) => adapter('Grant').find(id)))?.['jti'], id)
      }
      assert.deepEqual(await Promise.all([before, after].map((id) => sealedWith(id))), ['s1', 's2'])
      // The process that does not have the new key yet.
      await rejectsWith('KEY_UNKNOWN', () => alone(opened.store).run((adapter) => adapter('Grant').find(after)))
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

    async function sealedWith(id: string): Promise<string> {
      const [stream] = opened.store.keys.streams('Grant', id)
      return String((await opened.store.latest(stream))?.events[0]?.data['sealed']).split('.')[0] ?? ''
    }
  })
}
