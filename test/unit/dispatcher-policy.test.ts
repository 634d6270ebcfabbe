import assert from 'node:assert/strict'
import { type Behaviour, DispatchScene, hangs, says } from '../support/dispatch-scene.ts'

const busy: Behaviour = () => ({ kind: 'answered', status: 503, body: '', retryAfter: '600' })

describe('the dispatcher, told to treat one client in another way', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  it('tries that one at its own times, and the others at the usual ones', async () => {
    for (const id of ['own', 'usual']) scene.client(id, () => says(404))
    const [own = ''] = await scene.owe('own')
    await scene.owe('usual')
    await scene.dispatcher({ clients: { own: { retryDelaysMs: [1_000, 7_000] } } })
    await scene.clock.advance(40_000)
    assert.deepEqual(scene.timesOf('own'), [0, 1_000, 8_000])
    assert.deepEqual(scene.timesOf('usual'), [0, 5_000, 35_000])
    assert.equal((await scene.entry(own)).state, 'abandoned')
  })

  it('waits for its answers as long as is said', async () => {
    for (const id of ['patient', 'hasty', 'usual']) {
      scene.client(id, hangs)
      await scene.owe(id)
    }
    const clients = { patient: { timeoutMs: 25_000 }, hasty: { timeoutMs: 2_000 } }
    await scene.dispatcher({ retryDelaysMs: [0], clients })
    await scene.clock.advance(25_000)
    assert.deepEqual(scene.timesOf('patient'), [0, 25_000])
    assert.deepEqual(scene.timesOf('hasty'), [0, 2_000])
    assert.deepEqual(scene.timesOf('usual'), [0, 10_000])
  })

  it('spreads its attempts as is said', async () => {
    for (const id of ['own', 'usual']) {
      scene.client(id, () => says(404))
      await scene.owe(id)
    }
    scene.random = () => 0
    await scene.dispatcher({ jitter: 0.2, clients: { own: { jitter: 0.5 } } })
    await scene.clock.advance(4_000)
    assert.deepEqual(
      [scene.timesOf('own'), scene.timesOf('usual')],
      [
        [0, 2_500],
        [0, 4_000],
      ],
    )
  })

  it('asks it again after a 400 as often as is said', async () => {
    for (const id of ['once', 'four', 'usual']) {
      scene.client(id, () => says(400))
      await scene.owe(id)
    }
    const clients = { once: { badRequestDelaysMs: [] }, four: { badRequestDelaysMs: [0, 0, 500_000] } }
    await scene.dispatcher({ clients })
    await scene.clock.advance(2_000_000)
    assert.deepEqual(scene.timesOf('once'), [0])
    assert.deepEqual(scene.timesOf('four'), [0, 5_000, 35_000, 535_000])
    assert.deepEqual(scene.timesOf('usual'), [0, 60_000, 660_000])
  })

  it('leaves it alone as long as it asks for, up to what is said', async () => {
    for (const id of ['short', 'none', 'usual']) {
      scene.client(id, busy)
      await scene.owe(id)
    }
    await scene.dispatcher({ clients: { short: { maxRetryAfterMs: 20_000 }, none: { maxRetryAfterMs: 0 } } })
    await scene.clock.advance(600_000)
    assert.deepEqual(scene.timesOf('short').slice(0, 2), [0, 20_000])
    assert.deepEqual(scene.timesOf('none').slice(0, 2), [0, 5_000])
    assert.deepEqual(scene.timesOf('usual'), [0, 600_000])
  })

  it('opens and probes its circuit as is said', async () => {
    for (const id of ['own', 'usual']) {
      scene.client(id, () => says(503))
      await scene.owe(id, 20)
    }
    const circuit = { failures: 2, minOpenMs: 1_000, maxOpenMs: 3_000 }
    await scene.dispatcher({ retryDelaysMs: [3_600_000], clients: { own: { circuit } } })
    await scene.clock.advance(29_999)
    assert.equal(scene.postsTo('usual').length, 5)
    const times = scene.timesOf('own')
    // Four of a new RP are under way at once: two of them open the circuit, the others say nothing new.
    assert.deepEqual(times.slice(0, 8), [0, 0, 0, 0, 1_000, 3_000, 6_000, 9_000])
  })
})
