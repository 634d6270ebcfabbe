import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type BackChannelLogout, backChannelLogout, type Receipt } from '../../plugins/back-channel-logout/index.ts'
import { type Op, Person, startOp } from '../support/op.ts'
import { type RelyingParty, startRp } from '../support/rp.ts'

describe('a logout at an OP with two RPs', () => {
  const store = new MemoryEventStore()
  let one: RelyingParty
  let two: RelyingParty
  let logout: BackChannelLogout
  let op: Op

  before(async () => {
    one = await startRp('rp-one')
    two = await startRp('rp-two')
    logout = backChannelLogout({ development: true, allowInternal: ['rp-one', 'rp-two'] })
    op = await startOp(store, { plugins: [logout], clients: [one.metadata, two.metadata] })
  })

  after(async () => {
    await op.stop()
    await store.close()
    await one.stop()
    await two.stop()
  })

  it('tells both, with tokens that verify', async () => {
    const person = new Person(op)
    await person.authorize('rp-one')
    await person.authorize('rp-two')
    const answer = await person.logout()
    assert.equal(answer.status, 303)
    for (const rp of [one, two]) {
      const [token = ''] = await rp.received(1)
      const { sub, sid } = await rp.verify(token, op.issuer)
      assert.equal(sub, 'alice')
      assert.equal(typeof sid, 'string')
    }
    const receipt = await settled(logout, await sessionUid(store))
    assert.deepEqual(
      receipt.ends.map(({ reason, whole, origin, relyingParties }) => ({
        reason,
        whole,
        origin,
        rps: relyingParties.map(({ clientId, state, status }) => [clientId, state, status]),
      })),
      [{ reason: 'rp_initiated', whole: true, origin: op.issuer, rps: [['rp-one', 'confirmed', 200], ['rp-two', 'confirmed', 200]] }],
    )
    assert.ok(receipt.ends[0]?.timeToLogoutMs !== undefined)
  })
})

async function sessionUid(store: MemoryEventStore): Promise<string> {
  const commits = await store.readAll({ after: 0, limit: 1_000 })
  const stream = commits.flatMap(({ events }) => events).find(({ type }) => type === 'session_logout.terminated')?.stream
  assert.ok(stream)
  return stream.slice('session_logout:'.length)
}

/** The receipt once nobody is still to be told. */
async function settled(logout: BackChannelLogout, uid: string): Promise<Receipt> {
  for (;;) {
    const receipt = await logout.receipt(uid)
    if (receipt.settled) return receipt
    await new Promise((resolve) => setImmediate(resolve))
  }
}
