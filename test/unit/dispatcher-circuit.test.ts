import assert from 'node:assert/strict'
import { type Behaviour, DispatchScene, says } from '../support/dispatch-scene.ts'

const down: Behaviour = () => says(503)
const up: Behaviour = () => says(200)

describe('the dispatcher, with an RP that fails again and again', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  /** So many more requests came while the clock moved on. */
  async function requestsIn(ms: number): Promise<number> {
    const before = scene.posts.length
    await scene.clock.advance(ms)
    return scene.posts.length - before
  }

  it('lets deliveries wait without spending attempts, probes, and goes on when the RP is back', async () => {
    scene.client('rp', down)
    const uids = await scene.owe('rp', 100)
    await scene.dispatcher()
    assert.equal(await requestsIn(0), 5, 'it opens at the fifth failure')
    assert.equal(await requestsIn(29_999), 0)
    assert.equal(await requestsIn(1), 1, 'a probe after 30 s')
    assert.equal(await requestsIn(59_999), 0)
    assert.equal(await requestsIn(1), 1, 'a probe after 60 s more')
    const spent = await Promise.all(uids.map(async (uid) => (await scene.entry(uid)).attempts))
    assert.equal(
      spent.reduce((sum, attempts) => sum + attempts, 0),
      7,
    )
    assert.equal(scene.log.of(/an RP fails again and again/).length, 1)

    scene.behave('rp', up)
    assert.equal(await requestsIn(119_999), 0)
    await scene.clock.advance(1)
    assert.deepEqual(await scene.states(uids), { confirmed: 100 })
    assert.equal(scene.log.of(/an RP is back/).length, 1)
  })

  it('probes every five minutes at last', async () => {
    scene.client('rp', down)
    await scene.owe('rp', 100)
    await scene.dispatcher()
    await scene.clock.advance(30_000 + 60_000 + 120_000 + 240_000)
    for (let probe = 0; probe < 3; probe++) {
      assert.equal(await requestsIn(299_999), 0)
      assert.equal(await requestsIn(1), 1)
    }
  })

  it('is not asked for leave by RPs that say no: these are there', async () => {
    scene.client('rp', () => says(404))
    await scene.owe('rp', 100)
    await scene.dispatcher()
    assert.equal(await requestsIn(0), 100)
  })

  it('does not look for work all the time while the circuit may be probed and nothing is due', async () => {
    scene.client('rp', down)
    await scene.owe('rp', 5)
    await scene.dispatcher({ retryDelaysMs: [3_600_000] })
    await scene.clock.advance(60_000)
    let looks = 0
    const work = scene.store.work('deliveries')
    const { claim } = work
    work.claim = (options) => {
      looks += 1
      return claim.call(work, options)
    }
    await scene.clock.advance(60_000)
    assert.ok(looks <= 61, `${looks} in a minute`)
  })

  it('sends one probe, where two clients are at one RP', async () => {
    scene.client('one', down, 'https://rp.example.com/one')
    scene.client('two', down, 'https://rp.example.com/two')
    const uids = [...(await scene.owe('one', 20)), ...(await scene.owe('two', 20))]
    await scene.dispatcher()
    await scene.clock.advance(29_999)
    assert.equal(await requestsIn(1), 1)
    assert.equal(await requestsIn(59_999), 0)
    scene.behave('one', up)
    scene.behave('two', up)
    await scene.clock.advance(600_000)
    assert.deepEqual(await scene.states(uids), { confirmed: 40 })
  })

  it('is not stuck when the token of the probe cannot be made', async () => {
    scene.client('rp', down)
    const uids = await scene.owe('rp', 20)
    await scene.dispatcher()
    await scene.clock.advance(0)
    const { makeToken } = scene
    scene.makeToken = () => Promise.reject(new Error('jwks_uri cannot be reached'))
    await scene.clock.advance(30_000)
    scene.makeToken = makeToken
    scene.behave('rp', up)
    await scene.clock.advance(600_000)
    assert.deepEqual(await scene.states(uids), { confirmed: 20 })
  })

  it('is not stuck when the client of the probe was deleted or has moved', async () => {
    for (const id of ['deleted', 'moved', 'stays']) scene.client(id, down, `https://rp.example.com/${id}`)
    const uids = [await scene.owe('deleted', 20), await scene.owe('moved', 20), await scene.owe('stays', 20)]
    await scene.dispatcher()
    await scene.clock.advance(0)
    scene.clients.delete('deleted')
    await scene.recordClient('deleted', 'destroyed')
    scene.client('moved', up, 'https://new.example.com/')
    scene.behave('stays', up)
    await scene.clock.advance(600_000)
    assert.deepEqual(await Promise.all(uids.map((some) => scene.states(some))), [
      { abandoned: 20 },
      { confirmed: 20 },
      { confirmed: 20 },
    ])
  })

  it('is not stuck, and nobody waits longer, when this process does not know the client of the probe', async () => {
    for (const id of ['unknown', 'stays']) scene.client(id, down, `https://rp.example.com/${id}`)
    const uids = [await scene.owe('unknown', 20), await scene.owe('stays', 20)]
    await scene.dispatcher()
    await scene.clock.advance(0)
    scene.clients.delete('unknown')
    scene.behave('stays', up)
    await scene.clock.advance(30_000)
    assert.deepEqual(await Promise.all(uids.map((some) => scene.states(some))), [{ pending: 20 }, { confirmed: 20 }])
  })
})
