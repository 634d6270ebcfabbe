import assert from 'node:assert/strict'
import { MOST_EARLY } from '../../plugins/back-channel-logout/delivery/delivery.ts'
import { AGAIN_AFTER_MS, Recoveries } from '../../plugins/back-channel-logout/delivery/recoveries.ts'
import { type Behaviour, DispatchScene, hangs, says } from '../support/dispatch-scene.ts'
import { FakeClock } from '../support/fake-clock.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const down: Behaviour = () => says(503)
const up: Behaviour = () => says(200)

describe('the dispatcher, with an RP that is back', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  for (const outageMs of [20_000, 45 * MINUTE_MS, 8 * HOUR_MS]) {
    it(`sends what it has missed in ${outageMs / MINUTE_MS} min as soon as it confirms anything`, async () => {
      scene.client('rp', down)
      const missed = await scene.owe('rp', 3)
      await scene.dispatcher()
      await scene.clock.advance(outageMs)
      scene.behave('rp', up)
      const fresh = await scene.owe('rp', 1)
      await scene.clock.advance(5 * MINUTE_MS) // its circuit may be open that long
      assert.deepEqual(await scene.states([...fresh, ...missed]), { confirmed: 4 })
      const [told = 0] = scene.timesOf('rp').slice(-4)
      assert.deepEqual(scene.timesOf('rp').slice(-4), Array(4).fill(told))
    })
  }

  it('sends it slowly at first', async () => {
    scene.client('rp', down)
    await scene.owe('rp', 60)
    await scene.dispatcher({ circuit: { failures: 100 }, retryDelaysMs: [6 * HOUR_MS, 6 * HOUR_MS] })
    await scene.clock.advance(HOUR_MS)
    assert.equal(scene.posts.length, 60)
    const waiting: (() => void)[] = []
    scene.behave('rp', () => new Promise((resolve) => waiting.push(() => resolve(says(200)))))
    await scene.owe('rp', 1)
    await scene.clock.advance(1_000)
    const inFlight: number[] = []
    for (let round = 0; round < 4; round++) {
      inFlight.push(scene.inFlight)
      for (const answer of waiting.splice(0)) answer()
      await scene.clock.advance(0)
    }
    assert.deepEqual(inFlight, [1, 5, 10, 16])
  })

  it('sends what another process had to put off, since this one cannot know of that failure', async () => {
    scene.client('rp', down)
    const missed = await scene.owe('rp', 1)
    const other = await scene.dispatcher({}, new FakeClock())
    await scene.clock.advance(0)
    assert.equal(scene.posts.length, 1)
    await Promise.all([other.stop(), scene.clock.advance(0)])
    scene.behave('rp', up)
    const fresh = await scene.owe('rp', 1)
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.deepEqual(await scene.states([...fresh, ...missed]), { confirmed: 2 })
  })

  it('leaves the deliveries of other RPs where they are', async () => {
    scene.client('rp')
    scene.client('other', down)
    await scene.owe('other', 1)
    await scene.dispatcher()
    await scene.clock.advance(0)
    await scene.owe('rp', 1)
    await scene.clock.advance(4_999)
    assert.equal(scene.postsTo('other').length, 1)
  })

  it('spends no attempt of the schedule on an RP that answers well and badly by turns', async () => {
    let answers = 0
    const [poison = ''] = await scene.owe('rp', 1)
    scene.client('rp', () => says(answers++ % 2 === 0 ? 503 : 200))
    scene.makeToken = async ({ clientId }, sid) => `${clientId}/${sid}`
    const isPoison = (): boolean => scene.posts.at(-1)?.token === 'rp/sid-1'
    scene.behave('rp', () => says(isPoison() ? 503 : 200))
    await scene.dispatcher({ circuit: { failures: 1_000 } })
    for (let minute = 0; minute < 26 * 60; minute += 2) {
      await scene.owe('rp', 1)
      await scene.clock.advance(2 * MINUTE_MS)
    }
    const { state, attempts } = await scene.entry(poison)
    assert.equal(state, 'pending', 'the schedule is 27.7 hours long')
    assert.equal(attempts, 10 + MOST_EARLY)
    await scene.clock.advance(2 * HOUR_MS)
    const last = await scene.entry(poison)
    assert.deepEqual([last.state, last.attempts], ['abandoned', 11 + MOST_EARLY])
  })
})

describe('the recovery of an RP', () => {
  it('is its first confirmation, and the first after a failure', () => {
    const recoveries = new Recoveries()
    assert.equal(recoveries.confirmed('rp', 0), true)
    assert.equal(recoveries.confirmed('rp', 10 * AGAIN_AFTER_MS), false)
    recoveries.failed('rp')
    assert.equal(recoveries.confirmed('rp', 11 * AGAIN_AFTER_MS), true)
    assert.equal(recoveries.confirmed('other', 0), true)
  })

  it('counts once in five minutes, and is not forgotten in between', () => {
    const recoveries = new Recoveries()
    recoveries.confirmed('rp', 0)
    recoveries.failed('rp')
    assert.equal(recoveries.confirmed('rp', AGAIN_AFTER_MS - 1), false)
    assert.equal(recoveries.confirmed('rp', AGAIN_AFTER_MS), true)
  })
})

describe('the dispatcher, told by an operator to try an RP now', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  it('tries all that waits for it, and says how many that were', async () => {
    scene.client('rp', down)
    const uids = await scene.owe('rp', 4)
    const dispatcher = await scene.dispatcher()
    await scene.clock.advance(10_000)
    scene.behave('rp', up)
    assert.equal(await dispatcher.retry('rp'), 4)
    await scene.clock.advance(0)
    assert.deepEqual(await scene.states(uids), { confirmed: 4 })
    assert.equal(await dispatcher.retry('rp'), 0)
  })

  it('does so though its circuit is open, and though it asked to be left alone', async () => {
    for (const answer of [down, () => ({ kind: 'answered', status: 429, body: '', retryAfter: '3000' }) as const]) {
      const here = new DispatchScene()
      here.client('rp', answer)
      const uids = await here.owe('rp', 10)
      const dispatcher = await here.dispatcher()
      await here.clock.advance(10_000)
      const before = here.posts.length
      here.behave('rp', up)
      await dispatcher.retry('rp')
      await here.clock.advance(0)
      assert.equal(here.posts.length - before, 10)
      assert.deepEqual(await here.states(uids), { confirmed: 10 })
      await here.stop()
    }
  })

  it('does so as often as is asked for, and spends nothing of the schedule', async () => {
    scene.client('rp', down)
    const [uid = ''] = await scene.owe('rp', 1)
    const dispatcher = await scene.dispatcher({ retryDelaysMs: [HOUR_MS], circuit: { failures: 1_000 } })
    await scene.clock.advance(0)
    for (let wish = 0; wish < MOST_EARLY + 5; wish++) {
      await dispatcher.retry('rp')
      await scene.clock.advance(0)
    }
    assert.equal(scene.posts.length, 1 + MOST_EARLY + 5)
    assert.equal((await scene.entry(uid)).state, 'pending')
    await scene.clock.advance(HOUR_MS)
    assert.equal((await scene.entry(uid)).state, 'abandoned')
  })
})

describe('the dispatcher, with an RP that operators have paused', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  it('sends nothing to it, everything to others, and goes on when it is resumed', async () => {
    scene.client('rp')
    scene.client('other')
    const uids = [...(await scene.owe('rp', 3)), ...(await scene.owe('other', 1))]
    scene.paused.add('rp')
    const dispatcher = await scene.dispatcher()
    await scene.clock.advance(HOUR_MS)
    assert.deepEqual(await scene.states(uids), { pending: 3, confirmed: 1 })
    assert.equal((await scene.entry(uids[0] ?? '')).attempts, 0)
    await dispatcher.retry('rp')
    await scene.clock.advance(1_000)
    assert.equal(scene.postsTo('rp').length, 0, 'a wish to try it now is no wish to resume it')
    scene.paused.delete('rp')
    await scene.clock.advance(1_000)
    assert.deepEqual(await scene.states(uids), { confirmed: 4 })
  })

  it('sends nothing when it is paused while the token is made, and lets what is in flight end', async () => {
    scene.client('rp', hangs)
    const [flying = ''] = await scene.owe('rp', 1)
    await scene.dispatcher()
    await scene.clock.advance(0)
    const { makeToken } = scene
    let made = (): void => {}
    scene.makeToken = async (client, sid) => {
      await new Promise<void>((resolve) => {
        made = resolve
      })
      return makeToken(client, sid)
    }
    const [uid = ''] = await scene.owe('rp', 1)
    await scene.clock.advance(1_000)
    scene.paused.add('rp')
    made()
    await scene.clock.advance(20_000)
    assert.equal(scene.posts.length, 1)
    assert.deepEqual([(await scene.entry(uid)).attempts, (await scene.entry(flying)).attempts], [0, 1])
  })
})
