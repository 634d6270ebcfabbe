import assert from 'node:assert/strict'
import {
  CommitInvalidError,
  EventTypeUnknownError,
  KeyUnknownError,
  OutcomeUnknownError,
  StoreClosedError,
  StoreRefusedError,
  StoreUnavailableError,
} from '../../lib/index.ts'
import type { Answer } from '../../plugins/back-channel-logout/network/answer.ts'
import { DispatchScene, says } from '../support/dispatch-scene.ts'
import { interceptReads } from '../support/reads.ts'

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

  it('gives back what it has claimed while the feature was switched off, however often that fails', async () => {
    scene.client('rp')
    const [uid = ''] = await scene.owe('rp')
    const work = scene.store.work('deliveries')
    const { claim, putBack } = work
    work.claim = async (options) => {
      const claimed = await claim.call(work, options)
      scene.on = false
      return claimed
    }
    let refused = 0
    work.putBack = (...given) => {
      refused += 1
      return refused <= 3 ? Promise.reject(new StoreUnavailableError('away')) : putBack.call(work, ...given)
    }
    await scene.dispatcher()
    await scene.clock.advance(20_000)
    assert.deepEqual([scene.posts.length, refused], [0, 4])
    work.claim = claim
    scene.on = true
    await scene.clock.advance(10_000)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
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
    await scene.clock.advance(24 * 3_600_000 + 1)
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.equal(await work.get(delivery), undefined)
  })

  for (const error of [
    new StoreUnavailableError('away'),
    new StoreClosedError(),
    new StoreRefusedError('a full disk'),
    new OutcomeUnknownError('no answer'),
    new Error('connection 7 to 10.0.0.1:27017 closed'),
  ]) {
    it(`waits with the RP's answer in hand where waiting may help: ${error.message}`, async () => {
      const { uid } = await appendingFails(error, 300_000)
      assert.deepEqual(scene.log.of(/unforeseen/), [])
      await scene.clock.advance(5_000)
      assert.equal((await scene.entry(uid)).state, 'confirmed')
      assert.equal(scene.posts.length, 1)
    })
  }

  for (const error of [
    new KeyUnknownError('a key is missing'),
    new CommitInvalidError('a field is missing'),
    new EventTypeUnknownError('session_logout:uid', 'session_logout.invented'),
    new TypeError('undefined is not an object'),
  ]) {
    it(`sets a delivery aside where waiting does not help, and tries it later: ${error.name}`, async () => {
      const { uid } = await appendingFails(error, 0)
      const [line, ...more] = scene.log.of(/unforeseen/)
      assert.deepEqual([line?.level, line?.fields['err'], more], ['error', error, []])
      assert.deepEqual((await scene.store.work('deliveries').get(String(line?.fields['delivery'])))?.holder, undefined)
      await scene.clock.advance(59_999)
      assert.equal(scene.posts.length, 1)
      await scene.clock.advance(1_000)
      assert.equal((await scene.entry(uid)).state, 'confirmed')
    })
  }

  it('gives a delivery that it sets aside back as soon as the work table is there again', async () => {
    const work = scene.store.work('deliveries')
    const { putBack } = work
    work.putBack = async () => {
      throw new StoreUnavailableError('away')
    }
    const { uid } = await appendingFails(new KeyUnknownError('a key is missing'), 30_000)
    work.putBack = putBack
    await scene.clock.advance(66_000)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
  })

  it('probes with another delivery, where that of the probe cannot be read', async () => {
    scene.client('rp', () => says(503))
    const uids = await scene.owe('rp', 6)
    await inOtherHandsBefore()
    await scene.dispatcher({ concurrencyPerClient: 6 })
    await scene.clock.advance(0)
    const restore = interceptReads(scene.store, async () => {
      throw new EventTypeUnknownError('session_logout:uid', 'session_logout.invented')
    })
    await scene.clock.advance(30_000)
    assert.ok(scene.log.of(/unforeseen/).length > 0)
    restore()
    scene.behave('rp', () => says(200))
    await scene.clock.advance(120_000)
    assert.deepEqual(await scene.states(uids), { confirmed: 6 })
  })

  it('probes again, where a network of the deployment made no answer of what the probe got', async () => {
    scene.client('rp', () => says(503))
    const uids = await scene.owe('rp', 6)
    await scene.dispatcher({ concurrencyPerClient: 6 })
    await scene.clock.advance(0)
    scene.behave('rp', () => ({ kind: 'answered', status: 410 }) as Answer)
    await scene.clock.advance(30_000)
    assert.ok(scene.log.of(/unforeseen/).length > 0)
    scene.behave('rp', () => says(200))
    await scene.clock.advance(300_000)
    assert.deepEqual(await scene.states(uids), { confirmed: 6 })
  })

  /** A process had all deliveries in hand, and died: from now on the log is asked whether they were settled. */
  async function inOtherHandsBefore(): Promise<void> {
    const work = scene.store.work('deliveries')
    await work.claim({ holder: 'dead', now: scene.clock.now(), limit: 100, perLane: 100 })
    await work.free('dead')
  }

  /** One delivery, answered with 200, while the store fails so for that long. */
  async function appendingFails(error: Error, ms: number): Promise<{ uid: string }> {
    scene.client('rp')
    const [uid = ''] = await scene.owe('rp')
    const { append } = scene.store
    scene.store.append = async () => {
      throw error
    }
    await scene.dispatcher()
    await scene.clock.advance(ms)
    scene.store.append = append
    return { uid }
  }
})
