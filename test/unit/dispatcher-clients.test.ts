import assert from 'node:assert/strict'
import { DispatchScene } from '../support/dispatch-scene.ts'

const RETRIES = { retryDelaysMs: [5_000, 30_000] }

describe('the dispatcher, with a client that is not there any more', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  it('gives up at once where the log says that it was deleted, or is stored without a URI', async () => {
    const uids = [...(await owe('gone', 'destroyed')), ...(await owe('silent', 'stored'))]
    withoutUri('silent')
    await scene.dispatcher()
    await scene.clock.advance(0)
    const entries = await Promise.all(uids.map((uid) => scene.entry(uid)))
    assert.deepEqual(
      entries.map(({ state, failureReason, attempts }) => [state, failureReason, attempts]),
      [
        ['abandoned', 'client_deleted', 0],
        ['abandoned', 'no_uri', 0],
      ],
    )
    assert.deepEqual(scene.posts, [])
    assert.equal(await scene.open(), 0)
  })

  it('keeps the delivery of a client that it does not know: another process of a rolling deployment may', async () => {
    const [uid = ''] = await scene.owe('new')
    await scene.dispatcher(RETRIES)
    await scene.clock.advance(0)
    const { state, failureReason, attempts } = await scene.entry(uid)
    assert.deepEqual([state, failureReason, attempts], ['pending', 'this process does not know the client', 1])
    scene.client('new')
    await scene.clock.advance(5_000)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
  })

  it('keeps the delivery of a client of the configuration that has no URI here', async () => {
    const [uid = ''] = await scene.owe('new')
    withoutUri('new')
    await scene.dispatcher(RETRIES)
    await scene.clock.advance(0)
    const { state, failureReason } = await scene.entry(uid)
    assert.deepEqual([state, failureReason], ['pending', 'the client has no backchannel_logout_uri in this process'])
    scene.client('new')
    await scene.clock.advance(5_000)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
  })

  it('keeps the delivery of a client that was registered again after it was deleted', async () => {
    const [uid = ''] = await owe('back', 'destroyed')
    await scene.recordClient('back', 'stored')
    await scene.dispatcher(RETRIES)
    await scene.clock.advance(0)
    assert.equal((await scene.entry(uid)).state, 'pending')
  })

  it('gives up when nobody knew it within the budget, and says why', async () => {
    const uids = [...(await scene.owe('unknown')), ...(await scene.owe('silent'))]
    withoutUri('silent')
    await scene.dispatcher(RETRIES)
    await scene.clock.advance(34_999)
    assert.deepEqual(await scene.states(uids), { pending: 2 })
    await scene.clock.advance(1)
    const entries = await Promise.all(uids.map((uid) => scene.entry(uid)))
    assert.deepEqual(
      entries.map(({ state, failureReason, attempts }) => [state, failureReason, attempts]),
      [
        ['abandoned', 'client_deleted', 3],
        ['abandoned', 'no_uri', 3],
      ],
    )
    assert.equal(await scene.open(), 0)
  })

  it('says that the budget is spent where it ended with an RP that failed', async () => {
    const [uid = ''] = await scene.owe('late')
    await scene.dispatcher({ retryDelaysMs: [5_000] })
    await scene.clock.advance(0)
    scene.client('late', () => ({ kind: 'failed', error: 'ECONNREFUSED' }))
    await scene.clock.advance(5_000)
    assert.equal((await scene.entry(uid)).failureReason, 'budget_spent')
  })

  /** Ends a session with a login at a client of which the log says so; the provider does not find it. */
  async function owe(clientId: string, type: 'stored' | 'destroyed'): Promise<string[]> {
    await scene.recordClient(clientId, type)
    return scene.owe(clientId)
  }

  function withoutUri(clientId: string): void {
    scene.clients.set(clientId, { clientId, includeSid: () => false })
  }
})
