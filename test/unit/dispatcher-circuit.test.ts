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

  it('lets another client behind the same origin have its logouts at once', async () => {
    scene.client('evil', () => says(502), 'https://shop.example.com/broken')
    scene.client('victim', up, 'https://shop.example.com/backchannel-logout')
    const dispatcher = await scene.dispatcher()
    await scene.owe('evil', 40)
    await scene.clock.advance(5_000)
    for (let minute = 0; minute < 30; minute++) {
      await scene.owe('evil')
      const [uid = ''] = await scene.owe('victim')
      dispatcher.wake()
      await scene.clock.advance(0)
      assert.equal((await scene.entry(uid)).timeToLogoutMs, 0)
      await scene.clock.advance(60_000)
    }
    assert.ok(scene.postsTo('evil').length < 20)
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

  it('goes on at once where the client of the probe has moved, and ends where it was deleted', async () => {
    for (const id of ['deleted', 'moved']) scene.client(id, down)
    const uids = [await scene.owe('deleted', 20), await scene.owe('moved', 20)]
    await scene.dispatcher()
    await scene.clock.advance(0)
    scene.clients.delete('deleted')
    await scene.recordClient('deleted', 'destroyed')
    scene.client('moved', up, 'https://new.example.com/')
    await scene.clock.advance(30_000)
    assert.deepEqual(await scene.states(uids[1] ?? []), { confirmed: 20 })
    await scene.clock.advance(600_000)
    assert.deepEqual(await scene.states(uids[0] ?? []), { abandoned: 20 })
  })

  it('is not stuck when this process does not know the client of the probe', async () => {
    scene.client('rp', down)
    const uids = await scene.owe('rp', 20)
    await scene.dispatcher()
    await scene.clock.advance(0)
    const client = scene.clients.get('rp')
    scene.clients.delete('rp')
    await scene.clock.advance(30_000)
    if (client) scene.clients.set('rp', client)
    scene.behave('rp', up)
    await scene.clock.advance(30_000)
    assert.deepEqual(await scene.states(uids), { confirmed: 20 })
  })
})
