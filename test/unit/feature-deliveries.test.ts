import assert from 'node:assert/strict'
import { DispatchScene } from '../support/dispatch-scene.ts'

describe('a delivery whose feature is switched off', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
    scene.client('rp')
  })

  afterEach(() => scene.stop())

  it('waits, though a process had it in hand already, and spends no attempt', async () => {
    const work = scene.store.work('deliveries')
    const { claim } = work
    work.claim = async (options) => {
      const claimed = await claim.call(work, options)
      if (claimed.length > 0) {
        scene.on = false
        work.claim = claim
      }
      return claimed
    }
    const [uid = ''] = await scene.owe('rp')
    await scene.dispatcher()
    await scene.clock.advance(3_600_000)
    assert.equal(scene.on, false)
    assert.deepEqual(scene.posts, [])
    assert.equal((await scene.entry(uid)).state, 'pending')
    scene.on = true
    await scene.clock.advance(2_000)
    const { state, attempts } = await scene.entry(uid)
    assert.deepEqual([state, attempts], ['confirmed', 1])
  })

  it('goes on from the attempt it had come to', async () => {
    let status = 503
    scene.behave('rp', () => ({ kind: 'answered', status, body: '' }))
    const [uid = ''] = await scene.owe('rp')
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.equal((await scene.entry(uid)).attempts, 1)
    scene.on = false
    await scene.clock.advance(3_600_000)
    assert.equal(scene.posts.length, 1)
    status = 200
    scene.on = true
    await scene.clock.advance(2_000)
    const { state, attempts } = await scene.entry(uid)
    assert.deepEqual([state, attempts], ['confirmed', 2])
  })
})
