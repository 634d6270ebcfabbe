import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { eventSourced } from '../../lib/index.ts'

describe('a model of an application’s own', () => {
  const { adapter } = eventSourced(new MemoryEventStore())

  for (const name of ['account', 'uid', 'sid', 'ends', 'user_code', 'Grant:of', 'My Model', '', undefined]) {
    it(`is refused the name ${JSON.stringify(name)}: its streams would be taken for another thing’s`, () => {
      assert.throws(() => adapter(name as string), { code: 'OPTION_INVALID', option: 'model' })
    })
  }

  for (const name of ['Ticket', 'Übung2', 'My_Model$', 'X']) {
    it(`may be called ${name}`, async () => {
      await adapter(name).upsert('id', { jti: 'id' }, 60)
      assert.deepEqual(await adapter(name).find('id'), { jti: 'id' })
    })
  }
})
