import assert from 'node:assert/strict'
import { Holds } from '../../plugins/back-channel-logout/delivery/holds.ts'
import { OriginLimits } from '../../plugins/back-channel-logout/delivery/origin-limits.ts'
import type { Answer } from '../../plugins/back-channel-logout/network/answer.ts'
import { DispatchScene, hangs, says } from '../support/dispatch-scene.ts'

const MINUTE_MS = 60_000

function busy(status: number, retryAfter: string): () => Answer {
  return () => ({ kind: 'answered', status, body: '', retryAfter })
}

describe('the dispatcher, with an RP that asks to be left alone', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  for (const status of [429, 503]) {
    it(`sends it nothing until then, whichever delivery it answered with ${status}`, async () => {
      scene.client('rp', busy(status, '600'))
      scene.client('other')
      await scene.owe('rp', 100)
      await scene.dispatcher({ circuit: { failures: 1_000 } })
      await scene.clock.advance(599_999)
      assert.deepEqual(scene.timesOf('rp'), [0, 0, 0, 0], 'those of a new RP that were under way together')
      const [uid = ''] = await scene.owe('other')
      await scene.clock.advance(1)
      assert.equal(scene.postsTo('rp').length > 4, true)
      await scene.clock.advance(1_000)
      assert.equal((await scene.entry(uid)).state, 'confirmed')
    })
  }

  it('holds it no longer than it may ask for, and not at all where that is 0', async () => {
    for (const id of ['usual', 'short', 'none']) {
      scene.client(id, busy(429, '86400'))
      await scene.owe(id, 10)
    }
    const clients = { short: { maxRetryAfterMs: 10_000 }, none: { maxRetryAfterMs: 0 } }
    await scene.dispatcher({ clients })
    await scene.clock.advance(9_999)
    assert.equal(scene.postsTo('short').length, 4)
    assert.ok(scene.postsTo('none').length > 4)
    await scene.clock.advance(1)
    assert.ok(scene.postsTo('short').length > 4)
    await scene.clock.advance(59 * MINUTE_MS + 49_999)
    assert.equal(scene.postsTo('usual').length, 4)
    await scene.clock.advance(1)
    assert.ok(scene.postsTo('usual').length > 4)
  })

  it('opens no circuit for a 429 that says when to come back, and one for those that do not', async () => {
    scene.client('polite', busy(429, '1'))
    scene.client('curt', () => says(429))
    await scene.owe('polite', 20)
    await scene.owe('curt', 20)
    const dispatcher = await scene.dispatcher()
    await scene.clock.advance(20_000)
    assert.deepEqual(dispatcher.openCircuits(), ['curt'])
  })

  it('asks it with one request more at a time when it is over', async () => {
    scene.client('rp', busy(429, '30'))
    await scene.owe('rp', 50)
    await scene.dispatcher()
    await scene.clock.advance(20_000)
    scene.behave('rp', hangs)
    await scene.clock.advance(10_000)
    assert.equal(scene.inFlight, 1)
  })
})

describe('the dispatcher, with many clients behind one origin', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  it('has so many requests in flight to it and no more, and comes to everything', async () => {
    const uids: string[] = []
    for (let n = 0; n < 20; n++) {
      scene.client(`rp-${n}`, slow, `https://shared.example.com/${n}`)
      uids.push(...(await scene.owe(`rp-${n}`, 10)))
    }
    scene.client('elsewhere', slow)
    uids.push(...(await scene.owe('elsewhere', 4)))
    await scene.dispatcher({ concurrencyPerOrigin: 7 })
    await scene.clock.advance(0)
    assert.equal(scene.inFlight, 11)
    assert.equal(scene.postsTo('elsewhere').length, 4)
    await scene.clock.advance(5 * MINUTE_MS)
    assert.equal(scene.mostInFlight, 11)
    assert.deepEqual(await scene.states(uids), { confirmed: 204 })
    assert.equal(scene.posts.length, 204)
  })

  it('spends no attempt where the origin has no room, and does not claim the same work over and over', async () => {
    scene.client('hanging', hangs, 'https://shared.example.com/hanging')
    scene.client('waiting', () => says(200), 'https://shared.example.com/waiting')
    await scene.owe('hanging', 4)
    await scene.dispatcher({ concurrencyPerOrigin: 4 })
    await scene.clock.advance(0)
    const [uid = ''] = await scene.owe('waiting')
    await scene.clock.advance(9_000)
    assert.equal((await scene.entry(uid)).attempts, 0)
    const row = (await scene.store.work('deliveries').open({ prefix: '', limit: 10 })).find(({ lane }) =>
      lane.endsWith('waiting'),
    )
    assert.ok((row?.fence ?? 99) <= 2, `claimed ${row?.fence} times`)
    await scene.clock.advance(2_000)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
  })

  function slow(): Promise<Answer> {
    return scene.clock.sleep(100).then(() => says(200))
  }
})

describe('what an RP has asked to be left alone for', () => {
  it('holds until then, and is forgotten', () => {
    const holds = new Holds()
    holds.hold('a', 100)
    assert.deepEqual([holds.isHeld('a', 99), holds.isHeld('other', 0)], [true, false])
    assert.deepEqual([...holds.known()], ['a'])
    assert.equal(holds.isHeld('a', 100), false)
    assert.deepEqual([...holds.known()], [])
  })

  it('is not shortened by an answer that asks for less', () => {
    const holds = new Holds()
    holds.hold('a', 100)
    holds.hold('a', 50)
    assert.equal(holds.isHeld('a', 99), true)
    holds.hold('a', 200)
    assert.equal(holds.isHeld('a', 199), true)
  })

  it('ends next where it ends first, of those that have not ended', () => {
    const holds = new Holds()
    assert.equal(holds.nextEndAt(0), undefined)
    for (const [lane, until] of [
      ['a', 300],
      ['b', 100],
      ['c', 200],
    ] as const)
      holds.hold(lane, until)
    assert.deepEqual([holds.nextEndAt(0), holds.nextEndAt(100), holds.nextEndAt(300)], [100, 200, undefined])
    holds.release('a')
    assert.equal(holds.isHeld('a', 0), false)
  })
})

describe('the limit of requests in flight to an origin', () => {
  it('counts those that go there, from whichever lane, and no others', () => {
    const limits = new OriginLimits(2)
    assert.deepEqual([limits.freeSlots('a'), limits.enter('a', 'x'), limits.enter('b', 'x')], [2, true, true])
    assert.deepEqual([limits.enter('c', 'x'), limits.freeSlots('a'), limits.freeSlots('c')], [false, 0, 0])
    assert.equal(limits.enter('d', 'y'), true)
    limits.leave('x')
    assert.deepEqual([limits.freeSlots('c'), limits.freeSlots('d')], [1, 1])
    assert.deepEqual([...limits.known()], ['a', 'b', 'c', 'd'])
    limits.leave('x')
    limits.leave('y')
    assert.deepEqual([...limits.known()], [])
  })
})
