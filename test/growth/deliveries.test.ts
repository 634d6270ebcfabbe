import assert from 'node:assert/strict'
import { pendingOf } from '../../plugins/back-channel-logout/delivery/pending.ts'
import { logBacklog } from '../../plugins/back-channel-logout/delivery/planning-lines.ts'
import { policyOf } from '../../plugins/back-channel-logout/delivery/policy-options.ts'
import { RecentLanes } from '../../plugins/back-channel-logout/delivery/recent-lanes.ts'
import { Traffic } from '../../plugins/back-channel-logout/delivery/traffic.ts'
import { receiptOf } from '../../plugins/back-channel-logout/receipts/receipt.ts'
import { sessionLogoutStream, toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { DispatchScene, OP, says } from '../support/dispatch-scene.ts'
import { countReads } from '../support/reads.ts'
import { attemptFailed, fold, historyOf, registered, terminated } from '../support/session-log.ts'

const SIZES = [1, 100, 10_000] as const

describe('what deliveries cost', () => {
  let scene: DispatchScene

  beforeEach(() => {
    scene = new DispatchScene()
  })

  afterEach(() => scene.stop())

  /** Commits that are read of single streams from now on. */
  function countRead(): { readonly commits: number } {
    const readings = countReads(scene.store)
    return {
      get commits() {
        return readings.reduce((sum, { length }) => sum + length, 0)
      },
    }
  }

  /** A session of which logins at the RP ended one by one, so many times; the last end is planned. */
  async function endings(count: number): Promise<void> {
    const user_id = scene.store.keys.seal('alice', sessionLogoutStream('long'))
    for (let n = 1; n <= count; n++) {
      const login = registered('rp', `sid-${n}`, { user_id })
      const end = terminated([`sid-${n}`], { triggered_at_origin: OP })
      await scene.store.append({ events: [toEvent('long', login), toEvent('long', end)] })
    }
    await scene.plan((await scene.store.end()) - 1)
  }

  for (const size of SIZES) {
    it(`is no reading for an attempt, of a session with ${size} ends`, async () => {
      scene.client('rp')
      await endings(size)
      const counted = countRead()
      await scene.dispatcher()
      await scene.clock.advance(0)
      assert.equal(scene.posts.length, 1)
      assert.equal(counted.commits, 0)
    })

    it(`is a page at most for one that a dead process had in hand, of a session with ${size} ends`, async () => {
      scene.client('rp')
      await endings(size)
      const work = scene.store.work('deliveries')
      await work.claim({ holder: 'dead', now: await work.time(), limit: 1, perLane: 1 })
      await work.free('dead')
      const counted = countRead()
      await scene.dispatcher()
      await scene.clock.advance(0)
      assert.equal(scene.posts.length, 1)
      assert.ok(counted.commits <= 100, `${counted.commits}`)
    })

    it(`is a hundred rows at most for the line at a start, where ${size} are left`, async () => {
      const work = scene.store.work('deliveries')
      await work.add(Array.from({ length: size }, (_, n) => ({ id: `${n}`, lane: `${OP} rp`, dueAt: 0, body: {} })))
      work.countOpen = () => new Promise(() => {}) // all of them
      await logBacklog(scene.log, work, OP)
      assert.deepEqual(
        scene.log.lines.map(({ fields }) => [fields['event'], fields['deliveries'], fields['is_exact']]),
        [['deliveries_left', Math.min(size, 100), size < 100]],
      )
    })

    it(`is one command for an RP that is back, with ${size} deliveries that it has missed`, async () => {
      scene.client('rp')
      const work = scene.store.work('deliveries')
      const [uid = ''] = await scene.owe('rp')
      const [row] = await work.open({ limit: 1 })
      assert.ok(row)
      const later = (await work.time()) + 3_600_000
      await work.add(
        Array.from({ length: size }, (_, n) => {
          const body = { ...row.body, attempts: 1, scheduledFor: later }
          return { id: `${row.id}~${n + 1}`, lane: row.lane, dueAt: later, body }
        }),
      )
      const { hasten } = work
      const hastened: number[] = []
      work.hasten = async (...args) => {
        const count = await hasten.apply(work, args)
        hastened.push(count)
        scene.paused.add('rp') // what follows is another matter
        return count
      }
      await scene.dispatcher()
      // Others go on between two pages of 1,000.
      for (let turn = 0; turn < 100 && hastened.length === 0; turn++) await scene.clock.advance(0)
      assert.equal((await scene.entry(uid)).state, 'confirmed')
      assert.deepEqual(hastened, [size])
    })

    it(`is what is asked for in a list of what is pending, of ${size}`, async () => {
      const work = scene.store.work('deliveries')
      await scene.owe('rp')
      const [row] = await work.open({ limit: 1 })
      assert.ok(row)
      await work.add(Array.from({ length: size - 1 }, (_, n) => ({ ...row, id: `${row.id}~${n + 1}` })))
      const { open } = work
      const asked: number[] = []
      work.open = (options) => {
        asked.push(options.limit)
        return open.call(work, options)
      }
      let told = 0
      for await (const _ of pendingOf({ work, issuer: OP }, { client: 'rp' }, { limit: 50 })) told += 1
      assert.deepEqual([told, asked], [Math.min(50, size), [50]])
    })
  }

  it('is 25 attempts in a receipt, of 10,000 that failed', () => {
    const events = Array.from({ length: 10_000 }, (_, n) => attemptFailed('2/0.0', n + 1))
    const logout = fold('uid', historyOf('uid', [registered('rp', 'sid'), terminated(), ...events]))
    assert.equal(receiptOf(logout).ends[0]?.relyingParties[0]?.failures?.length, 25)
  })

  it('is 3 KB in the log for what an RP says to an attempt, however much that is', async () => {
    scene.client('rp', () => ({ ...says(500), body: '"'.repeat(4_096) }))
    const [uid = ''] = await scene.owe('rp')
    await scene.dispatcher()
    await scene.clock.advance(0)
    const [commit] = (await scene.store.read(sessionLogoutStream(uid))).slice(-1)
    assert.ok(JSON.stringify(commit).length < 3_000)
  })
})

describe('what a process remembers of RPs', () => {
  function trafficOf(): Traffic {
    return new Traffic({
      policy: policyOf(),
      laneOf: (clientId) => `${OP} ${clientId}`,
      clientOf: (lane) => lane.slice(OP.length + 1),
      paused: () => [],
    })
  }

  it('is nothing of one that was not asked, and of one that asked to be left alone until when', () => {
    const traffic = trafficOf()
    traffic.recordResult('new', { probe: false }, { sign: 'none', confirmed: false }, 0)
    assert.equal(traffic.freeSlots([], 0).size, 0)
    const result = { sign: 'alive', tookWell: false, confirmed: false, retryAfterMs: 600 } as const
    traffic.recordResult('held', { probe: false }, result, 0)
    assert.deepEqual([traffic.request('held', 599), traffic.nextRoomAt(0)], [undefined, 600])
    assert.deepEqual(traffic.request('held', 600), { probe: false })
  })

  it('is nothing of 10,000 that are well, a minute after they were asked', () => {
    const traffic = trafficOf()
    for (let n = 0; n < 10_000; n++) {
      const permit = traffic.request(`${OP} rp-${n}`, 0)
      assert.ok(permit)
      traffic.recordResult(`${OP} rp-${n}`, permit, { sign: 'alive', tookWell: true, confirmed: true }, 0)
    }
    assert.equal(traffic.freeSlots([], 59_999).size, 10_000)
    assert.equal(traffic.freeSlots([], 60_000).size, 0)
  })

  it('is how the last 10,000 of 25,000 that have failed did, whether their circuits have opened or not', () => {
    for (const failures of [1, 5]) {
      const traffic = trafficOf()
      const failed = { sign: 'failed', tookWell: false, confirmed: false } as const
      for (let n = 0; n < 25_000; n++) {
        for (let again = 0; again < failures; again++)
          traffic.recordResult(`${OP} rp-${n}`, { probe: false }, failed, 0)
      }
      const lanes = traffic.freeSlots([], 60_000)
      assert.ok(lanes.size <= 10_000, `${lanes.size} lanes are remembered after ${failures} failures`)
      assert.equal(traffic.openCircuits().length, failures === 5 ? 10_000 : 0)
    }
  })

  it('is where the last 10,000 lanes lead to, and how their RPs did, of 25,000', () => {
    const lanes = new RecentLanes<number>()
    for (let n = 0; n < 25_000; n++) lanes.set(`${n}`, n)
    lanes.set('15000', 1)
    lanes.set('25000', 2)
    assert.equal([...lanes].length, 10_000)
    assert.deepEqual(
      ['14999', '15000', '15001', '15002', '25000'].map((lane) => lanes.get(lane)),
      [undefined, 1, undefined, 15_002, 2],
    )
  })

  it('is, of 10,000 that have asked to be left alone, nothing once that is over', () => {
    const traffic = trafficOf()
    for (let n = 0; n < 10_000; n++) {
      const result = { sign: 'alive', tookWell: false, confirmed: false, retryAfterMs: 600_000 } as const
      traffic.recordResult(`${OP} rp-${n}`, { probe: false }, result, 0)
    }
    const room = traffic.freeSlots([], 599_999)
    assert.deepEqual([room.size, new Set(room.values())], [10_000, new Set([0])])
    assert.equal(traffic.freeSlots([], 600_000).size, 0)
  })
})
