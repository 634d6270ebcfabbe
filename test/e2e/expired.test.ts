import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { generateSecret, type Key, KeyRing } from '../../lib/index.ts'
import { Client, type Op, startOp, testClient } from '../support/op.ts'
import { SteeredStore } from '../support/steered-store.ts'

const TWO_DAYS_SECONDS = 2 * 86_400

describe('what has expired', () => {
  const log = new MemoryEventStore()
  const ops: Op[] = []

  after(async () => {
    await Promise.all(ops.map((op) => op.stop()))
    await log.close()
  })

  it('is not there any more once its sealing key was retired: no error of the server', async () => {
    const [old, fresh, hashing] = [key('old'), key('fresh'), key('hashing')]
    const under = (...sealing: Key[]): SteeredStore =>
      new SteeredStore(log, new KeyRing({ sealing, hashing: [hashing] }))
    const before = await start(under(old))
    const id = 'r'.repeat(43)
    await before.eventSourced
      .adapter('RefreshToken')
      .upsert(id, { ...aged(), kind: 'RefreshToken', jti: id, grantId: 'g' })
    const after = await start(under(fresh))
    const { status, body } = await new Client(after, testClient('rp')).refresh(id)
    assert.deepEqual([status, body['error']], [400, 'invalid_grant'])
  })

  async function start(store: SteeredStore): Promise<Op> {
    const op = await startOp(store)
    ops.push(op)
    return op
  }
})

function aged(): { iat: number; exp: number; clientId: string; accountId: string } {
  const exp = Math.floor(Date.now() / 1_000) - TWO_DAYS_SECONDS
  return { iat: exp - 300, exp, clientId: 'rp', accountId: 'alice' }
}

function key(id: string): Key {
  return { id, secret: generateSecret() }
}
