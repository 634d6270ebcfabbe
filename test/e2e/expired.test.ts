import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { generateSecret, type Key, KeyRing } from '../../lib/index.ts'
import { Client, type Op, Person, startOp, testClient } from '../support/op.ts'
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

describe('a token that expired within the clock tolerance', () => {
  const RP = testClient('rp')
  const store = new MemoryEventStore()
  let op: Op

  before(async () => {
    op = await startOp(store, { clients: [RP], configuration: { clockTolerance: 3_600 } })
  })
  after(async () => {
    await op.stop()
    await store.close()
  })

  for (const [how, revoke] of [
    ['a revocation', async ({ client, refresh }: Expired) => client.revoke(refresh)],
    ['reuse detection', async ({ client, code }: Expired) => client.exchange(code)],
    ['the end of its grant', async ({ grantId }: Expired) => (await op.provider.Grant.find(grantId))?.destroy()],
  ] as const) {
    it(`is honoured, and ends like a live one by ${how}`, async () => {
      const expired = await issueExpired()
      const { client, access, refresh } = expired
      assert.equal((await client.userinfo(access)).status, 200)
      await revoke(expired)
      assert.equal((await client.userinfo(access)).status, 401)
      assert.equal((await client.refresh(refresh)).body['error'], 'invalid_grant')
    })
  }

  interface Expired {
    readonly client: Client
    readonly code: string
    readonly access: string
    readonly refresh: string
    readonly grantId: string
  }

  async function issueExpired(): Promise<Expired> {
    const client = new Client(op, RP)
    const more = { scope: 'openid offline_access', prompt: 'consent' }
    const code = (await new Person(op).authorize('rp', more)).get('code') ?? ''
    const { body } = await client.exchange(code)
    const [access, refresh] = [String(body['access_token']), String(body['refresh_token'])]
    const exp = Math.floor(Date.now() / 1_000) - 60
    let grantId = ''
    for (const [model, id] of [
      ['AccessToken', access],
      ['RefreshToken', refresh],
    ] as const) {
      const adapter = op.eventSourced.adapter(model)
      const payload = await adapter.find(id)
      grantId = String(payload?.['grantId'])
      await adapter.upsert(id, { ...payload, iat: exp - 300, exp })
    }
    return { client, code, access, refresh, grantId }
  }
})

function aged(): { iat: number; exp: number; clientId: string; accountId: string } {
  const exp = Math.floor(Date.now() / 1_000) - TWO_DAYS_SECONDS
  return { iat: exp - 300, exp, clientId: 'rp', accountId: 'alice' }
}

function key(id: string): Key {
  return { id, secret: generateSecret() }
}
