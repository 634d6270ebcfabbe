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
    assert.equal(scene.postsTo('dead').length, 4)
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

  it('lets 60 RPs that are new and hang delay nobody else', async () => {
    for (let rp = 0; rp < 60; rp++) {
      scene.client(`dead-${rp}`, hangs)
      await scene.owe(`dead-${rp}`, 100)
    }
    scene.client('good')
    const dispatcher = await scene.dispatcher()
    await scene.clock.advance(1_234)
    const good = await scene.owe('good', 30)
    dispatcher.wake()
    await scene.clock.advance(0)
    assert.deepEqual(scene.timesOf('good'), Array(30).fill(1_234))
    assert.deepEqual(await scene.states(good), { confirmed: 30 })
  })

  it('has 4 requests at an RP that is new, one more with each answer, and 16 at most', async () => {
    const waiting: (() => void)[] = []
    const slow: Behaviour = () => new Promise((resolve) => waiting.push(() => resolve(says(200))))
    scene.client('slow', slow)
    const uids = await scene.owe('slow', 50)
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.equal(scene.inFlight, 4)
    for (let answered = 1; answered <= 50; answered++) {
      waiting.shift()?.()
      await scene.clock.advance(0)
      assert.equal(scene.inFlight, Math.min(4 + answered, 16, 50 - answered))
    }
    assert.equal(scene.mostInFlight, 16)
    assert.deepEqual(await scene.states(uids), { confirmed: 50 })
  })

  it('has 256 requests in flight at most, a few of each RP', async () => {
    const dispatcher = await scene.dispatcher()
    for (let rp = 0; rp < 40; rp++) {
      scene.client(`rp-${rp}`)
      await scene.owe(`rp-${rp}`, 12)
    }
    await scene.clock.advance(1_000)
    scene.posts.length = 0
    for (let rp = 0; rp < 40; rp++) {
      scene.behave(`rp-${rp}`, hangs)
      await scene.owe(`rp-${rp}`, 20)
    }
    dispatcher.wake()
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

  it('has fewer requests at an RP that fails, and more again when it is back', async () => {
    scene.client('rp')
    await scene.owe('rp', 12)
    const dispatcher = await scene.dispatcher({ retryDelaysMs: [3_600_000], circuit: { failures: 100 } })
    await scene.clock.advance(0)
    scene.behave('rp', hangs)
    await scene.owe('rp', 100)
    const inFlight: number[] = []
    for (let round = 0; round < 3; round++) {
      await scene.clock.advance(1_000)
      inFlight.push(scene.inFlight)
      await scene.clock.advance(9_000)
    }
    assert.deepEqual(inFlight, [16, 1, 1])
    scene.behave('rp', () => says(200))
    await scene.clock.advance(10_000)
    scene.behave('rp', hangs)
    await scene.owe('rp', 100)
    dispatcher.wake()
    await scene.clock.advance(1_000)
    assert.equal(scene.inFlight, 16)
  })

  it('keeps to the limits that one client has of its own, before and after it is known', async () => {
    for (const clientId of ['narrow', 'wide', 'usual']) {
      scene.client(clientId)
      await scene.owe(clientId, 40)
    }
    const clients = { narrow: { concurrencyPerClient: 2 }, wide: { concurrencyPerClient: 30 } }
    await scene.dispatcher({ clients })
    scene.behave('narrow', hangs)
    await scene.clock.advance(0)
    assert.equal(scene.postsTo('narrow').length, 2)
    scene.posts.length = 0
    for (const clientId of ['wide', 'usual']) {
      scene.behave(clientId, hangs)
      await scene.owe(clientId, 40)
    }
    await scene.clock.advance(1_000)
    assert.deepEqual([scene.postsTo('wide').length, scene.postsTo('usual').length], [30, 16])
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
