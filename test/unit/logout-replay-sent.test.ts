import assert from 'node:assert/strict'
import { replay } from '../../plugins/back-channel-logout/dead-letters/replay.ts'
import type { Answer } from '../../plugins/back-channel-logout/network/answer.ts'
import { DispatchScene, hangs, OP, says } from '../support/dispatch-scene.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { workOf } from '../support/planning.ts'

const HOUR = 3_600_000

describe('a delivery that is replayed', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  /** An operator has all dead letters sent again, and the planner makes work of it. */
  async function replayAll(): Promise<number> {
    const after = await scene.store.end()
    const { replayed } = await replay({ store: scene.store, issuer: OP }, { since: 0 }, { actor: 'ops' })
    const commits = await scene.store.readAll({ after, limit: 100 })
    await scene.store.work('deliveries').add(await workOf(scene.store, commits, scene.clock.now()))
    return replayed
  }

  it('is sent with a fresh token, and confirmed', async () => {
    scene.client('rp', () => says(410))
    const [uid = ''] = await scene.owe('rp')
    const dispatcher = await scene.dispatcher()
    await scene.clock.advance(0)
    assert.equal((await scene.entry(uid)).state, 'rejected')
    scene.behave('rp', () => says(200))
    assert.equal(await replayAll(), 1)
    dispatcher.wake()
    await scene.clock.advance(0)
    const { state, attempts, replays, delivery } = await scene.entry(uid)
    assert.deepEqual({ state, attempts, replays }, { state: 'confirmed', attempts: 1, replays: 1 })
    assert.equal(new Set(scene.posts.map(({ token }) => token)).size, 2)
    const [sent] = await scene.commits('sent')
    assert.deepEqual(sent?.events[0]?.data['delivery'], delivery)
    assert.equal(sent?.events[0]?.data['round'], 1)
    assert.equal(scene.log.of(/confirmed the logout/)[0]?.fields['delivery'], delivery)
  })

  it('has its whole budget again, and dies again when that is spent', async () => {
    scene.client('rp', () => says(503))
    const [uid = ''] = await scene.owe('rp')
    await scene.dispatcher({ retryDelaysMs: [1_000, 1_000] })
    await scene.clock.advance(120_000)
    assert.equal(scene.posts.length, 3)
    assert.equal(await replayAll(), 1)
    await scene.clock.advance(120_000)
    assert.equal(scene.posts.length, 6)
    const { state, attempts, replays, status } = await scene.entry(uid)
    assert.deepEqual({ state, attempts, replays, status }, { state: 'abandoned', attempts: 3, replays: 1, status: 503 })
    await scene.clock.advance(600_000)
    assert.equal(scene.posts.length, 6)
    assert.equal(await replayAll(), 1)
    assert.equal(await scene.open(), 1)
  })

  it('is made anew where the finished work was swept', async () => {
    scene.client('rp', () => says(410))
    const [uid = ''] = await scene.owe('rp')
    await scene.dispatcher()
    await scene.clock.advance(0)
    const { delivery } = await scene.entry(uid)
    assert.ok(await scene.store.work('deliveries').get(delivery))
    assert.equal(await scene.store.work('deliveries').sweep(scene.clock.now() + 1), 1)
    assert.equal(await scene.store.work('deliveries').get(delivery), undefined)
    scene.behave('rp', () => says(200))
    await replayAll()
    await scene.clock.advance(1_000)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
  })

  it('tells a client that was gone for good, once it is back', async () => {
    const [uid = ''] = await scene.owe('rp')
    await scene.recordClient('rp', 'destroyed')
    await scene.dispatcher()
    await scene.clock.advance(0)
    const { state, failureReason } = await scene.entry(uid)
    assert.deepEqual({ state, failureReason }, { state: 'abandoned', failureReason: 'client_deleted' })
    await replayAll()
    await scene.clock.advance(1_000)
    const gone = await scene.entry(uid)
    assert.deepEqual(
      { failureReason: gone.failureReason, replays: gone.replays },
      { failureReason: 'client_deleted', replays: 1 },
    )
    scene.client('rp')
    await scene.recordClient('rp', 'stored')
    await replayAll()
    await scene.clock.advance(1_000)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
    assert.equal(scene.posts.length, 1)
  })

  /** A process sends, records what the RP said, and stands still from then on: its work stays in its hand. */
  async function sendAndDie(): Promise<void> {
    const dead = new FakeClock()
    const work = scene.store.work('deliveries')
    const finish = work.finish.bind(work)
    work.finish = () => new Promise(() => {})
    await scene.dispatcher({}, dead)
    await dead.advance(0)
    work.finish = finish
    assert.equal(await scene.open(), 1)
  }

  it('is sent although the process that recorded the dead letter died before it put the work away', async () => {
    scene.client('rp', () => says(410))
    const [uid = ''] = await scene.owe('rp')
    await sendAndDie()
    assert.equal((await scene.entry(uid)).state, 'rejected')
    scene.behave('rp', () => says(200))
    assert.equal(await replayAll(), 1)
    await scene.dispatcher()
    await scene.clock.advance(1_000)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
    await scene.clock.advance(20_000) // the work of the dead process is taken over, and nothing is left to do for it
    assert.equal(await scene.open(), 0)
    assert.equal(scene.posts.length, 2)
    assert.equal((await scene.commits('sent')).length, 1)
  })

  it('is not sent by whoever takes over the work of the round before', async () => {
    scene.client('rp', () => says(410))
    const [uid = ''] = await scene.owe('rp')
    await sendAndDie()
    scene.behave('rp', () => says(503))
    assert.equal(await replayAll(), 1)
    await scene.dispatcher({ retryDelaysMs: [3_600_000] })
    await scene.clock.advance(20_000)
    assert.equal(await scene.open(), 1)
    assert.equal(scene.posts.length, 2)
    const { state, attempts, replays } = await scene.entry(uid)
    assert.deepEqual({ state, attempts, replays }, { state: 'pending', attempts: 1, replays: 1 })
  })

  it('is not sent again where it was confirmed, and the process died before it put the work away', async () => {
    scene.client('rp', () => says(410))
    const [uid = ''] = await scene.owe('rp')
    const first = await scene.dispatcher()
    await scene.clock.advance(0)
    await first.stop()
    scene.behave('rp', () => says(200))
    assert.equal(await replayAll(), 1)
    await sendAndDie()
    assert.equal((await scene.entry(uid)).state, 'confirmed')
    await scene.dispatcher()
    await scene.clock.advance(20_000)
    assert.equal(await scene.open(), 0)
    assert.equal(scene.posts.length, 2)
  })

  it('hears nothing of a process that was paused in the round before', async () => {
    const answers: ((answer: Answer) => void)[] = []
    scene.client('rp', () => new Promise((resolve) => answers.push(resolve)))
    const [uid = ''] = await scene.owe('rp')
    const paused = new FakeClock()
    await scene.dispatcher({}, paused)
    await paused.advance(0)
    scene.behave('rp', () => says(410))
    await scene.dispatcher()
    await scene.clock.advance(15_000)
    assert.equal((await scene.entry(uid)).state, 'rejected')

    scene.behave('rp', hangs)
    await replayAll()
    await scene.clock.advance(1_000)
    const before = await scene.receipt(uid)
    for (const answer of answers) answer(says(200)) // what it had asked long ago
    await paused.advance(1_000)
    assert.deepEqual(await scene.receipt(uid), before)
    assert.equal((await scene.entry(uid)).state, 'pending')
    assert.equal((await scene.commits('sent')).length, 0)

    scene.behave('rp', () => says(200))
    await scene.clock.advance(HOUR)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
  })
})
