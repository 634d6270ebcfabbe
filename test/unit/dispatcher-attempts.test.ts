import assert from 'node:assert/strict'
import type { Answer } from '../../plugins/back-channel-logout/network/answer.ts'
import { DispatchScene, hangs, says } from '../support/dispatch-scene.ts'

const RETRIES = { retryDelaysMs: [5_000, 30_000, 120_000] }

describe('the dispatcher', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  it('sends what is owed at once, and records that it was confirmed', async () => {
    scene.client('rp')
    const [uid = ''] = await scene.owe('rp')
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.deepEqual(
      scene.posts.map(({ url, inside, atMs }) => [url, inside, atMs]),
      [['https://rp.example.com/', false, 0]],
    )
    const { state, attempts, status } = await scene.entry(uid)
    assert.deepEqual([state, attempts, status], ['confirmed', 1, 200])
    assert.equal(await scene.open(), 0)
  })

  it('sends what is owed later as soon as it is woken, and without that within a second', async () => {
    scene.client('rp')
    const dispatcher = await scene.dispatcher()
    await scene.clock.advance(10_300)
    await scene.owe('rp')
    dispatcher.wake()
    await scene.clock.advance(0)
    assert.deepEqual(scene.timesOf('rp'), [10_300])
    await scene.owe('rp')
    await scene.clock.advance(1_000)
    assert.equal(scene.posts.length, 2)
  })

  it('tries again at the times of the policy and not before, with a new token each time, then gives up', async () => {
    scene.client('rp', () => says(503))
    const [uid = ''] = await scene.owe('rp')
    await scene.dispatcher(RETRIES)
    await scene.clock.advance(4_999)
    assert.equal(scene.posts.length, 1)
    const waiting = await scene.entry(uid)
    assert.deepEqual([waiting.state, waiting.failureReason], ['pending', 'HTTP 503'])
    assert.equal(waiting.nextAttemptAt, scene.clock.now() + 1)
    await scene.clock.advance(400_000)
    assert.deepEqual(scene.timesOf('rp'), [0, 5_000, 35_000, 155_000])
    assert.equal(new Set(scene.posts.map(({ token }) => token)).size, 4)
    const { state, attempts, failureReason } = await scene.entry(uid)
    assert.deepEqual([state, attempts, failureReason], ['abandoned', 4, 'budget_spent'])
    assert.equal((await scene.commits('attempt_failed')).length, 3)
    assert.equal(await scene.open(), 0)
  })

  it('ends an attempt that is not answered in time', async () => {
    scene.client('rp', hangs)
    const [uid = ''] = await scene.owe('rp')
    await scene.dispatcher({ timeoutMs: 7_000 })
    await scene.clock.advance(6_999)
    assert.equal((await scene.entry(uid)).attempts, 0)
    await scene.clock.advance(1)
    assert.equal((await scene.entry(uid)).failureReason, 'no answer in time')
    await scene.clock.advance(5_000)
    assert.deepEqual(scene.timesOf('rp'), [0, 12_000])
  })

  it('ends an attempt a moment later that its network does not end, and one that its network fails', async () => {
    scene.client('deaf', () => new Promise(() => {}))
    scene.client('broken', () => Promise.reject(new Error('the proxy is gone')))
    const [deaf = ''] = await scene.owe('deaf')
    const [broken = ''] = await scene.owe('broken')
    const dispatcher = await scene.dispatcher()
    await scene.clock.advance(0)
    assert.equal((await scene.entry(broken)).failureReason, 'the network failed: the proxy is gone')
    await scene.clock.advance(11_000)
    assert.equal((await scene.entry(deaf)).failureReason, 'no answer in time')
    const stopping = dispatcher.stop()
    await scene.clock.advance(12_000)
    await stopping
  })

  it('asks an RP that answers 400 seven times, over more than six hours, then takes no for an answer', async () => {
    scene.client('rp', () => ({ kind: 'answered', status: 400, body: `no ${'\ud800'}${'x'.repeat(2_000)}` }))
    const [uid = ''] = await scene.owe('rp')
    await scene.dispatcher()
    await scene.clock.advance(10 * 3_600_000)
    assert.deepEqual(
      scene.timesOf('rp').map((ms) => ms / 60_000),
      [0, 1, 11, 41, 101, 221, 461],
    )
    const { state, failureReason } = await scene.entry(uid)
    assert.equal(state, 'rejected')
    assert.match(String(failureReason), /^no \ufffdx+$/)
    assert.equal(failureReason?.length, 1_000)
    assert.equal(scene.log.of(/refuses to be told/).length, 1)
  })

  const FAILURES: readonly Answer[] = [
    ...[100, 201, 301, 302, 303, 307, 308, 401, 403, 404, 405, 429, 500, 502, 503, 504].map((status) => says(status)),
    { kind: 'failed', error: 'CERT_HAS_EXPIRED: certificate has expired' },
    { kind: 'failed', error: 'ECONNREFUSED: connect ECONNREFUSED' },
    { kind: 'failed', error: 'ENOTFOUND: getaddrinfo ENOTFOUND rp.example.com' },
    { kind: 'failed', error: 'SPECIAL_USE_ADDRESS: 10.0.0.1 is an address of special use' },
  ]
  for (const answer of FAILURES) {
    const what = answer.kind === 'failed' ? answer.error.split(':', 1)[0] : answer.status
    it(`tries again after ${what}`, async () => {
      scene.client('rp', () => answer)
      const [uid = ''] = await scene.owe('rp')
      await scene.dispatcher()
      await scene.clock.advance(4_999)
      assert.equal((await scene.entry(uid)).state, 'pending')
      assert.equal(scene.posts.length, 1)
      scene.behave('rp', () => says(200))
      await scene.clock.advance(1)
      const { state, attempts } = await scene.entry(uid)
      assert.deepEqual([state, attempts], ['confirmed', 2])
    })
  }

  for (const status of [200, 202, 204]) {
    it(`takes ${status} for a confirmation`, async () => {
      scene.client('rp', () => says(status))
      const [uid = ''] = await scene.owe('rp')
      await scene.dispatcher()
      await scene.clock.advance(60_000)
      assert.equal(scene.posts.length, 1)
      assert.deepEqual([(await scene.entry(uid)).state, (await scene.entry(uid)).status], ['confirmed', status])
    })
  }

  it('never asks an RP again that answers 410', async () => {
    scene.client('rp', () => says(410))
    const [uid = ''] = await scene.owe('rp')
    await scene.dispatcher()
    await scene.clock.advance(1_000_000)
    assert.equal(scene.posts.length, 1)
    assert.equal((await scene.entry(uid)).state, 'rejected')
  })

  it('leaves an RP alone as long as it asks for', async () => {
    scene.client('rp', () => ({ kind: 'answered', status: 503, body: '', retryAfter: '600' }))
    await scene.owe('rp')
    await scene.dispatcher()
    await scene.clock.advance(599_999)
    assert.equal(scene.posts.length, 1)
    await scene.clock.advance(1)
    assert.equal(scene.posts.length, 2)
  })

  it('leaves it alone for an hour at most', async () => {
    scene.client('rp', () => ({ kind: 'answered', status: 503, body: '', retryAfter: '86400' }))
    await scene.owe('rp')
    await scene.dispatcher()
    await scene.clock.advance(3_599_999)
    assert.equal(scene.posts.length, 1)
    await scene.clock.advance(1)
    assert.equal(scene.posts.length, 2)
  })

  it('tries eleven times within about 28 hours, each wait up to a fifth longer or shorter', async () => {
    const DELAYS = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200].map((seconds) => seconds * 1_000)
    for (const random of [0, 0.5, 0.999_999]) {
      const here = new DispatchScene()
      here.random = () => random
      here.client('rp', () => says(404))
      const [uid = ''] = await here.owe('rp')
      await here.dispatcher({ jitter: 0.2 })
      await here.clock.advance(0)
      for (let due = await dueAt(here, uid); due !== undefined; due = await dueAt(here, uid))
        await here.clock.advance(due - here.clock.now())
      const failures = (await here.commits('attempt_failed')).map(({ at, events }) => [at, events[0]?.data] as const)
      assert.deepEqual(
        failures.map(([at, data]) => Number(data?.['next_attempt_at']) - at),
        DELAYS.map((delay) => Math.round(delay * (0.8 + 0.4 * random))),
      )
      assert.equal(here.posts.length, 11)
      const { state, attempts } = await here.entry(uid)
      assert.deepEqual([state, attempts], ['abandoned', 11])
      await here.stop()
    }
  })

  it('sends to where the client is now', async () => {
    scene.client('rp', () => says(503))
    await scene.owe('rp')
    await scene.dispatcher()
    await scene.clock.advance(0)
    scene.client('rp', () => says(200), 'https://moved.example.com/logout')
    await scene.clock.advance(5_000)
    assert.deepEqual(
      scene.posts.map(({ url }) => url),
      ['https://rp.example.com/', 'https://moved.example.com/logout'],
    )
  })

  it('tries again where the token cannot be made, and where the URI is unusable for now', async () => {
    scene.client('encrypted')
    scene.client('rp', undefined, 'http://rp.example.com/')
    const [encrypted = ''] = await scene.owe('encrypted')
    const [unusable = ''] = await scene.owe('rp')
    const { makeToken } = scene
    scene.makeToken = () => Promise.reject(new Error('jwks_uri cannot be reached'))
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.match(String((await scene.entry(encrypted)).failureReason), /could not be made: jwks_uri cannot be reached/)
    assert.match(String((await scene.entry(unusable)).failureReason), /must be an https URI/)
    assert.deepEqual(scene.posts, [])
    scene.makeToken = makeToken
    scene.client('rp')
    await scene.clock.advance(5_000)
    assert.deepEqual(await scene.states([encrypted, unusable]), { confirmed: 2 })
  })

  it('does not wait for a token for ever', async () => {
    scene.client('rp')
    scene.makeToken = () => new Promise(() => {})
    const [uid = ''] = await scene.owe('rp')
    await scene.dispatcher()
    await scene.clock.advance(10_000)
    assert.equal((await scene.entry(uid)).failureReason, 'no logout token in time')
  })

  it('tells the network who may be inside', async () => {
    scene.client('inside-rp')
    scene.client('rp')
    await scene.owe('inside-rp')
    await scene.owe('rp')
    await scene.dispatcher()
    await scene.clock.advance(0)
    assert.deepEqual([scene.postsTo('inside-rp')[0]?.inside, scene.postsTo('rp')[0]?.inside], [true, false])
  })

  it('leaves the deliveries of another issuer to that one', async () => {
    scene.client('rp')
    await scene.owe('rp', 1, 'https://op.example.com.other')
    await scene.dispatcher()
    await scene.clock.advance(60_000)
    assert.deepEqual(scene.posts, [])
    assert.equal(await scene.open(), 1)
  })

  it('sends nothing while the gate is shut, and goes on when it opens', async () => {
    scene.client('rp', () => says(503))
    await scene.owe('rp')
    scene.on = false
    await scene.dispatcher()
    await scene.clock.advance(60_000)
    assert.deepEqual(scene.posts, [])
    scene.on = true
    await scene.clock.advance(1_000)
    assert.equal(scene.posts.length, 1)
    scene.on = false
    await scene.clock.advance(60_000)
    assert.equal(scene.posts.length, 1)
    scene.behave('rp', () => says(200))
    scene.on = true
    await scene.clock.advance(1_000)
    assert.equal((await scene.commits('sent')).length, 1)
  })

  it('sends nothing when the gate is shut while the token is made, and spends no attempt on it', async () => {
    scene.client('rp')
    const [uid = ''] = await scene.owe('rp')
    let made = (): void => {}
    const { makeToken } = scene
    scene.makeToken = async (client, sid) => {
      await new Promise<void>((resolve) => {
        made = resolve
      })
      return makeToken(client, sid)
    }
    await scene.dispatcher({ retryDelaysMs: [] })
    await scene.clock.advance(0)
    scene.on = false
    made()
    await scene.clock.advance(60_000)
    assert.deepEqual(scene.posts, [])
    const { state, attempts } = await scene.entry(uid)
    assert.deepEqual([state, attempts], ['pending', 0])
    scene.makeToken = makeToken
    scene.on = true
    await scene.clock.advance(1_000)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
  })

  for (const [what, jumpMs] of [
    ['an hour back', -3_600_000],
    ['an hour ahead', 3_600_000],
  ] as const) {
    it(`tries again after five seconds though the wall clock of its machine jumps ${what} meanwhile`, async () => {
      scene.client('failing', () => says(503))
      scene.client('rp')
      const [waiting = ''] = await scene.owe('failing')
      await scene.dispatcher()
      await scene.clock.advance(0)
      scene.clock.jumpWall(jumpMs)
      scene.behave('failing', () => says(200))
      const [fresh = ''] = await scene.owe('rp')
      await scene.clock.advance(1_000)
      assert.equal((await scene.entry(fresh)).state, 'confirmed')
      await scene.clock.advance(3_999)
      assert.equal((await scene.entry(waiting)).state, 'pending')
      await scene.clock.advance(1)
      assert.equal((await scene.entry(waiting)).state, 'confirmed')
      assert.equal(scene.postsTo('failing').length, 2)
    })
  }

  it('tries again after five seconds though the wall clock was a day ahead when the attempt failed', async () => {
    scene.client('rp', () => says(503))
    await scene.dispatcher()
    scene.clock.jumpWall(86_400_000)
    const [uid = ''] = await scene.owe('rp')
    await scene.clock.advance(1_000)
    scene.clock.jumpWall(-86_400_000)
    scene.behave('rp', () => says(200))
    await scene.clock.advance(5_000)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
  })

  it('sends at once what a process recorded, and another one planned, whose clocks are ahead', async () => {
    scene.client('rp')
    await scene.dispatcher()
    scene.clock.jumpWall(300_000)
    const [uid = ''] = await scene.owe('rp')
    scene.clock.jumpWall(-300_000)
    await scene.clock.advance(1_000)
    assert.equal((await scene.entry(uid)).state, 'confirmed')
  })

  /** When the delivery is tried next; undefined once it is settled. */
  async function dueAt(here: DispatchScene, uid: string): Promise<number | undefined> {
    return (await here.entry(uid)).nextAttemptAt
  }
})
