import assert from 'node:assert/strict'
import { type Behaviour, DispatchScene, hangs, says } from '../support/dispatch-scene.ts'

describe('the dispatcher, between RPs', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  it('lets an RP that hangs delay nobody else', async () => {
    scene.client('dead', hangs)
    scene.client('good')
    await scene.owe('dead', 1_000)
    const good = await scene.owe('good', 10)
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.deepEqual(await scene.states(good), { confirmed: 10 })
    assert.deepEqual(scene.timesOf('good'), Array(10).fill(0))
    assert.equal(scene.postsTo('dead').length, 16)
  })

  it('lets one that comes later through at once, while another hangs', async () => {
    scene.client('dead', hangs)
    scene.client('good')
    await scene.owe('dead', 1_000)
    const dispatcher = await scene.dispatcher()
    await scene.clock.advance(3_210)
    await scene.owe('good', 10)
    dispatcher.wake()
    await scene.clock.advance(0)
    assert.deepEqual(scene.timesOf('good'), Array(10).fill(3_210))
  })

  it('has 16 requests at one RP at most', async () => {
    const waiting: (() => void)[] = []
    const slow: Behaviour = () => new Promise((resolve) => waiting.push(() => resolve(says(200))))
    scene.client('slow', slow)
    const uids = await scene.owe('slow', 50)
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.equal(scene.inFlight, 16)
    for (let answered = 0; answered < 50; answered++) {
      waiting.shift()?.()
      await scene.clock.advance(0)
      assert.equal(scene.inFlight, Math.min(16, 49 - answered))
    }
    assert.equal(scene.mostInFlight, 16)
    assert.deepEqual(await scene.states(uids), { confirmed: 50 })
  })

  it('has 256 requests in flight at most, a few of each RP', async () => {
    for (let rp = 0; rp < 40; rp++) {
      scene.client(`rp-${rp}`, hangs)
      await scene.owe(`rp-${rp}`, 20)
    }
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.equal(scene.inFlight, 256)
    for (let rp = 0; rp < 40; rp++) {
      const count = scene.postsTo(`rp-${rp}`).length
      assert.ok(count === 6 || count === 7, `${count} to rp-${rp}`)
    }
  })

  it('keeps to limits of its own', async () => {
    scene.client('a', hangs)
    scene.client('b', hangs)
    await scene.owe('a', 10)
    await scene.owe('b', 10)
    await scene.dispatcher({ concurrency: 3, concurrencyPerClient: 2 })
    await scene.clock.advance(9_999)
    assert.equal(scene.mostInFlight, 3)
    assert.ok(scene.postsTo('a').length <= 2 && scene.postsTo('b').length <= 2)
  })

  it('comes to everything in the end, whatever the RPs do first', async () => {
    const uids: string[] = []
    const behaviours: Behaviour[] = [hangs, () => says(503), () => says(200), () => says(404), () => says(429)]
    for (const [i, behaviour] of behaviours.entries()) {
      scene.client(`rp-${i}`, behaviour)
      uids.push(...(await scene.owe(`rp-${i}`, 30)))
    }
    await scene.dispatcher()
    await scene.clock.advance(60_000)
    for (const i of behaviours.keys()) scene.behave(`rp-${i}`, () => says(200))
    await scene.clock.advance(1_800_000)
    assert.deepEqual(await scene.states(uids), { confirmed: 150 })
  })
})
