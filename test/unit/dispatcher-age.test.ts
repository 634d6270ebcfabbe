import assert from 'node:assert/strict'
import { StoreUnavailableError } from '../../lib/index.ts'
import { policyOf } from '../../plugins/back-channel-logout/delivery/policy-options.ts'
import type { Answer } from '../../plugins/back-channel-logout/network/answer.ts'
import { DispatchScene, says } from '../support/dispatch-scene.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

describe('a delivery that is too old', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  it('is a dead letter after 48 hours, however many wait for an RP that is dead', async () => {
    scene.client('dead', () => ({ kind: 'failed', error: 'ECONNREFUSED' }))
    const uids = await scene.owe('dead', 200)
    await scene.dispatcher()
    await scene.clock.advance(48 * HOUR_MS)
    await scene.clock.advance(MINUTE_MS)
    assert.deepEqual(await scene.states(uids), { abandoned: 200 })
    assert.equal(await scene.open(), 0)
    scene.behave('dead', () => says(200))
    const before = scene.posts.length
    await scene.clock.advance(HOUR_MS)
    assert.equal(scene.posts.length, before, 'whoever has that host now gets no old tokens')
    const whys = await Promise.all(uids.map(async (uid) => (await scene.entry(uid)).failureReason))
    assert.deepEqual(new Set(whys), new Set(['expired']))
  })

  const WAITS: Readonly<Record<string, (scene: DispatchScene) => void>> = {
    'its circuit is open': (here) => here.behave('rp', () => says(503)),
    'its RP always asks for more time': (here) => here.behave('rp', busy),
    'operators have paused its RP': (here) => void here.paused.add('rp'),
    'the feature is off': (here) => {
      here.on = false
    },
  }
  for (const [when, happens] of Object.entries(WAITS)) {
    it(`is a dead letter though ${when}`, async () => {
      scene.policy = policyOf({ maxAgeMs: 2 * HOUR_MS })
      scene.client('rp')
      happens(scene)
      const uids = await scene.owe('rp', 30)
      await scene.dispatcher()
      await scene.clock.advance(2 * HOUR_MS - 1)
      assert.deepEqual(await scene.states(uids), { pending: 30 })
      await scene.clock.advance(MINUTE_MS + 1)
      const entries = await Promise.all(uids.map((uid) => scene.entry(uid)))
      assert.deepEqual(
        [...new Set(entries.map(({ state, failureReason }) => `${state} ${failureReason}`))],
        ['abandoned expired'],
      )
      assert.equal(await scene.open(), 0)
      assert.equal(scene.log.of(/within the maximum age/).length, 30)
    })
  }

  it('is not sent when it is claimed after its time, and says how the last attempt failed', async () => {
    scene.policy = policyOf({ maxAgeMs: 30_000 })
    scene.client('rp', () => ({ kind: 'answered', status: 500, body: 'out of disk' }))
    const [uid = ''] = await scene.owe('rp')
    await scene.dispatcher({ retryDelaysMs: [29_999, 1] })
    await scene.clock.advance(29_999)
    assert.equal(scene.posts.length, 2)
    await scene.clock.advance(1_000)
    assert.equal(scene.posts.length, 2)
    const [commit] = await scene.commits('abandoned')
    const { failure_reason, status, answer, attempts } = commit?.events[0]?.data ?? {}
    assert.deepEqual([failure_reason, status, answer, attempts], ['expired', 500, 'out of disk', 2])
    assert.equal((await scene.entry(uid)).state, 'abandoned')
  })

  it('is as old as its client may have it', async () => {
    scene.policy = policyOf({ maxAgeMs: HOUR_MS, clients: { patient: { maxAgeMs: 3 * HOUR_MS } } })
    for (const id of ['patient', 'usual']) scene.client(id, () => says(503))
    const [patient = ''] = await scene.owe('patient')
    const [usual = ''] = await scene.owe('usual')
    await scene.dispatcher()
    await scene.clock.advance(HOUR_MS + MINUTE_MS)
    assert.deepEqual([(await scene.entry(patient)).state, (await scene.entry(usual)).state], ['pending', 'abandoned'])
    await scene.clock.advance(2 * HOUR_MS + MINUTE_MS)
    assert.equal((await scene.entry(patient)).state, 'abandoned')
  })

  it('is no older for a wrong clock of whoever recorded the end', async () => {
    scene.client('rp')
    scene.clock.jumpWall(-72 * HOUR_MS)
    const uids = await scene.owe('rp')
    scene.clock.jumpWall(72 * HOUR_MS)
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.deepEqual(await scene.states(uids), { confirmed: 1 })
  })

  it('lets the others pass, however many become too old at once', async () => {
    scene.client('dead', () => ({ kind: 'failed', error: 'ECONNREFUSED' }))
    await scene.owe('dead', 2_000)
    await scene.clock.advance(48 * HOUR_MS)
    let before = -1
    scene.client('alive', async () => {
      before = (await scene.commits('abandoned')).length
      return says(200)
    })
    const [uid = ''] = await scene.owe('alive')
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
    assert.ok(before <= 256, `${before} dead letters came first`)
    await scene.clock.advance(MINUTE_MS)
    assert.equal((await scene.commits('abandoned')).length, 2_000)
  })

  it('is one though what is due besides cannot be claimed: whoever holds it knows of it', async () => {
    scene.client('rp', () => says(503))
    const uids = await scene.owe('rp', 3)
    await scene.clock.advance(48 * HOUR_MS)
    const work = scene.store.work('deliveries')
    work.claim = () => Promise.reject(new StoreUnavailableError('away'))
    await scene.dispatcher()
    await scene.clock.advance(MINUTE_MS)
    assert.deepEqual(await scene.states(uids), { abandoned: 3 })
    assert.equal(await scene.open(), 0)
  })

  it('is looked for once a minute, not at each look for work', async () => {
    const work = scene.store.work('deliveries')
    let looks = 0
    const { claimOverdue } = work
    work.claimOverdue = (options) => {
      looks += 1
      return claimOverdue.call(work, options)
    }
    await scene.dispatcher()
    await scene.clock.advance(10 * MINUTE_MS)
    assert.ok(looks >= 10 && looks <= 11, `${looks}`)
  })
})

const busy = (): Answer => ({ kind: 'answered', status: 429, body: '', retryAfter: '3600' })
