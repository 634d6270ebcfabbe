import assert from 'node:assert/strict'
import { StoreUnavailableError } from '../../lib/index.ts'
import type { Answer } from '../../plugins/back-channel-logout/network/answer.ts'
import { type SessionLogoutEvent, toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { type Behaviour, DispatchScene, hangs, says } from '../support/dispatch-scene.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { attemptFailed } from '../support/session-log.ts'

describe('dispatchers of several processes', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  it('share the work: each delivery is sent once', async () => {
    for (let rp = 0; rp < 10; rp++) {
      scene.client(`rp-${rp}`)
      await scene.owe(`rp-${rp}`, 20)
    }
    const clocks = [scene.clock, new FakeClock(), new FakeClock()]
    for (const clock of clocks) await scene.dispatcher({ concurrency: 5 }, clock)
    for (let second = 0; second < 30; second++) await Promise.all(clocks.map((clock) => clock.advance(1_000)))
    assert.equal(scene.posts.length, 200)
    assert.equal(new Set(scene.posts.map(({ token }) => token)).size, 200)
    assert.equal((await scene.commits('sent')).length, 200)
  })

  /** One takes the deliveries, and its process stands still from then on; the other one starts. */
  async function oneOfTwoDies(behaviour: Behaviour): Promise<{ uids: string[]; dead: FakeClock }> {
    scene.client('rp', behaviour)
    const uids = await scene.owe('rp', 4)
    const dead = new FakeClock()
    await scene.dispatcher({}, dead)
    await dead.advance(0)
    assert.equal(scene.posts.length, 4)
    scene.behave('rp', () => says(200))
    await scene.dispatcher()
    return { uids, dead }
  }

  it('take over what a killed process had in hand, within 15 s and not while it might live', async () => {
    const { uids } = await oneOfTwoDies(hangs)
    await scene.clock.advance(9_999)
    assert.equal(scene.posts.length, 4)
    await scene.clock.advance(5_001)
    assert.equal(scene.posts.length, 8)
    assert.deepEqual(await scene.states(uids), { confirmed: 4 })
    assert.equal(scene.log.of(/^the deliveries of logout tokens of a process that is gone are taken over$/).length, 1)
  })

  it('leave each other what they have in hand when the database is back that was away for all', async () => {
    let answer = (_: Answer): void => {}
    scene.client('rp', () => new Promise((resolve) => (answer = resolve)))
    const [uid = ''] = await scene.owe('rp')
    const others = new FakeClock()
    await scene.dispatcher({ timeoutMs: 300_000 })
    await scene.dispatcher({ timeoutMs: 300_000 }, others)
    for (const clock of [scene.clock, others]) await clock.advance(2_000) // the others have seen its last sign of life
    assert.equal(scene.posts.length, 1)
    const { liveness } = scene.store
    const work = scene.store.work('deliveries')
    const away = () => Promise.reject(new StoreUnavailableError('away'))
    const asItWas = { beat: liveness.beat, time: work.time }
    liveness.beat = away
    work.time = away
    for (const clock of [scene.clock, others]) await clock.advance(60_000)
    liveness.beat = asItWas.beat
    work.time = asItWas.time
    await others.advance(8_000) // it is back before the one that has the delivery in hand
    for (let second = 0; second < 30; second++) for (const clock of [scene.clock, others]) await clock.advance(1_000)
    assert.equal(scene.posts.length, 1, 'nobody else sends it')
    answer(says(200))
    await scene.clock.advance(0)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
    assert.equal(scene.log.of(/are taken over/).length, 0)
  })

  it('take over at whatever moment of its beat the process was killed', async () => {
    for (const beatenFor of [500, 1_999, 2_000, 3_700]) {
      const here = new DispatchScene()
      here.client('rp', hangs)
      const dead = new FakeClock()
      const other = await here.dispatcher({}, dead)
      await here.dispatcher({ concurrency: 1 })
      here.on = false
      for (let ms = 0; ms < 20_000 + beatenFor; ms += 100) {
        await dead.advance(100)
        await here.clock.advance(100)
      }
      await here.owe('rp', 1)
      here.on = true
      other.wake()
      await dead.advance(0)
      assert.equal(here.posts.length, 1)
      here.behave('rp', () => says(200))
      await here.clock.advance(15_000)
      assert.equal(here.posts.length, 2, `killed ${beatenFor} ms after a beat`)
      await here.stop()
    }
  })

  it('take over what a process took that was suspended, forgotten, and killed soon after it woke', async () => {
    scene.client('rp', hangs)
    const suspended = new FakeClock()
    await scene.dispatcher({}, suspended)
    await suspended.advance(500)
    await scene.dispatcher()
    await scene.clock.advance(13_000)
    assert.equal((await scene.store.liveness.beat([])).signs.length, 1, 'it is forgotten')
    scene.on = false // the other one leaves the delivery to it
    const [uid = ''] = await scene.owe('rp')
    scene.on = true
    await suspended.advance(1_000) // it looks for work, and does not come to its next sign of life
    assert.deepEqual([scene.posts.length, (await scene.store.liveness.beat([])).signs.length], [1, 1])
    scene.behave('rp', () => says(200))
    await scene.clock.advance(70_000) // two looks, half a minute apart
    assert.equal((await scene.entry(uid)).state, 'confirmed')
    assert.equal(scene.posts.length, 2)
  })

  it('go on from what a process had recorded that was killed before it could say so in the work table', async () => {
    scene.client('rp', () => says(400))
    const [uid = ''] = await scene.owe('rp')
    const work = scene.store.work('deliveries')
    const [held] = await work.claim({ holder: 'dead', now: scene.clock.now(), limit: 1, perLane: 1 })
    for (const attempt of [1, 2]) {
      const failure = { status: 400, bad_requests: attempt, next_attempt_at: scene.clock.now() + 600_000 }
      const event = { ...attemptFailed(String(held?.id), attempt), ...failure } as SessionLogoutEvent
      await scene.store.append({ events: [toEvent(uid, event)] })
    }
    await work.free('dead')
    await scene.dispatcher({ badRequestDelaysMs: [60_000, 600_000] })
    await scene.clock.advance(599_999)
    assert.deepEqual(scene.posts, [])
    await scene.clock.advance(1)
    const { state, attempts } = await scene.entry(uid)
    assert.deepEqual([scene.posts.length, state, attempts], [1, 'rejected', 3])
  })

  it('leave the work to a process that is slow but lives', async () => {
    scene.client('rp', hangs)
    await scene.owe('rp', 4)
    const slow = new FakeClock()
    await scene.dispatcher({ timeoutMs: 60_000 }, slow)
    await slow.advance(0)
    await scene.dispatcher()
    for (let second = 0; second < 50; second++) {
      await slow.advance(1_000)
      await scene.clock.advance(1_000)
    }
    assert.equal(scene.posts.length, 4)
  })

  it('record each end once, when the one taken for dead comes back with answers', async () => {
    const answers: ((answer: Answer) => void)[] = []
    const { uids, dead } = await oneOfTwoDies(() => new Promise((resolve) => answers.push(resolve)))
    await scene.clock.advance(15_000)
    const before = await Promise.all(uids.map((uid) => scene.receipt(uid)))
    answers.forEach((answer, i) => {
      answer(says([200, 410, 503, 400][i % 4] ?? 200))
    })
    await dead.advance(30_000)
    assert.deepEqual(await Promise.all(uids.map((uid) => scene.receipt(uid))), before)
    assert.deepEqual(await scene.states(uids), { confirmed: 4 })
    assert.equal((await scene.commits('sent')).length, 4)
    assert.equal(await scene.open(), 0)
    assert.equal(scene.posts.length, 8)
  })
})

describe('a dispatcher that is stopped', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  it('claims nothing more, finishes what is in flight, and leaves the rest to others at once', async () => {
    const answers: (() => void)[] = []
    scene.client('rp', () => new Promise((resolve) => answers.push(() => resolve(says(200)))))
    const uids = await scene.owe('rp', 20)
    const dispatcher = await scene.dispatcher()
    await scene.clock.advance(0)
    let stopped = false
    const stopping = dispatcher.stop().then(() => {
      stopped = true
    })
    await scene.clock.advance(5_000)
    assert.equal(stopped, false)
    for (const answer of answers) answer()
    await scene.clock.advance(0)
    await stopping
    assert.equal(scene.posts.length, 4)
    assert.deepEqual(await scene.states(uids), { confirmed: 4, pending: 16 })
    assert.equal(scene.clock.pending, 0)

    scene.behave('rp', () => says(200))
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.deepEqual(await scene.states(uids), { confirmed: 20 })
  })

  it('waits ten seconds at most, and frees what was not answered', async () => {
    scene.client('rp', hangs)
    const uids = await scene.owe('rp', 3)
    const dispatcher = await scene.dispatcher({ timeoutMs: 600_000 })
    await scene.clock.advance(0)
    const stopping = dispatcher.stop()
    await scene.clock.advance(10_000)
    await stopping
    assert.deepEqual(await scene.states(uids), { pending: 3 })
    assert.equal((await scene.commits('attempt_failed')).length, 0)
    scene.behave('rp', () => says(200))
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.deepEqual(await scene.states(uids), { confirmed: 3 })
  })

  it('stops once, however often it is told, sends nothing more, and is no worker any more', async () => {
    scene.client('rp')
    const dispatcher = await scene.dispatcher()
    await Promise.all([dispatcher.stop(), dispatcher.stop()])
    await dispatcher.stop()
    await scene.owe('rp')
    await scene.clock.advance(60_000)
    assert.deepEqual(scene.posts, [])
    assert.deepEqual((await scene.store.liveness.beat([])).signs, [])
  })
})
