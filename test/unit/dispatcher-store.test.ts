import assert from 'node:assert/strict'
import { StoreUnavailableError } from '../../lib/index.ts'
import { DispatchScene, says } from '../support/dispatch-scene.ts'

describe('the dispatcher and its store', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  it('writes down what an RP said when the store is back, without asking the RP again', async () => {
    scene.client('rp')
    scene.client('failing', () => says(503))
    const uids = [...(await scene.owe('rp')), ...(await scene.owe('failing'))]
    const { append } = scene.store
    scene.store.append = async () => {
      throw new StoreUnavailableError('away')
    }
    await scene.dispatcher()
    await scene.clock.advance(60_000)
    assert.equal(scene.posts.length, 2)
    assert.deepEqual(await scene.states(uids), { pending: 2 })
    scene.store.append = append
    scene.behave('failing', () => says(200))
    await scene.clock.advance(10_000)
    assert.equal((await scene.commits('attempt_failed')).length, 1)
    assert.deepEqual(await scene.states(uids), { confirmed: 2 })
    assert.equal(scene.postsTo('rp').length, 1)
    assert.equal(scene.postsTo('failing').length, 2)
    assert.equal(scene.log.of(/cannot be recorded yet/).length, 2)
  })

  it('goes on when deliveries can be read again', async () => {
    scene.client('rp')
    await scene.owe('rp')
    const work = scene.store.work('deliveries')
    const { claim } = work
    work.claim = async () => {
      throw new StoreUnavailableError('away')
    }
    await scene.dispatcher()
    await scene.clock.advance(30_000)
    assert.deepEqual(scene.posts, [])
    work.claim = claim
    await scene.clock.advance(1_000)
    assert.equal(scene.posts.length, 1)
    assert.equal(scene.log.of(/cannot be read/).length, 1)
  })

  it('forgets finished work after a day', async () => {
    scene.client('rp')
    await scene.owe('rp')
    const dispatcher = await scene.dispatcher()
    await scene.clock.advance(0)
    const [{ delivery = '' } = {}] = (await scene.commits('sent'))
      .flatMap(({ events }) => events)
      .map(({ data }) => data as { delivery?: string })
    const work = scene.store.work('deliveries')
    await dispatcher.stop()
    assert.ok(await work.get(delivery))
    scene.clock.jumpWall(24 * 3_600_000 + 1)
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.equal(await work.get(delivery), undefined)
  })
})
