import assert from 'node:assert/strict'
import type { WorkTable } from '../../lib/index.ts'
import { policyOf } from '../../plugins/back-channel-logout/delivery/policy-options.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { DispatchScene, says } from '../support/dispatch-scene.ts'
import { FakeClock } from '../support/fake-clock.ts'

const HOUR_MS = 3_600_000

/** The table with some calls replaced. */
function replaced(work: WorkTable, calls: Partial<WorkTable>): WorkTable {
  return new Proxy(work, {
    get(table, name) {
      const value = calls[name as keyof WorkTable] ?? table[name as keyof WorkTable]
      return typeof value === 'function' ? value.bind(table) : value
    },
  })
}

describe('the dispatcher looks again', () => {
  let scene: DispatchScene
  beforeEach(() => {
    scene = new DispatchScene()
  })
  afterEach(() => scene.stop())

  it('when the next delivery is due, also right after a claim', async () => {
    for (const client of ['a', 'b']) {
      scene.client(client)
      await scene.owe(client)
    }
    const work = scene.store.work('deliveries')
    const now = await work.time()
    for (const row of await work.claim({ holder: 'somebody', now: now + 1, limit: 10, perLane: 10 }))
      await work.putBack(row, { dueAt: row.lane.endsWith('b') ? now + 50 : now, body: row.body })
    await scene.dispatcher()
    for (const _ of range(30)) await scene.clock.advance(10)
    assert.deepEqual(
      scene.posts.map(({ clientId, atMs }) => [clientId, atMs]),
      [
        ['a', 0],
        ['b', 50],
      ],
    )
  })

  it('at once where other processes took a part of what a claim saw', async () => {
    for (const n of range(100)) {
      scene.client(`c${n}`)
      await scene.owe(`c${n}`)
    }
    await scene.dispatcher({ concurrency: 16 }, scene.clock, (parts) => {
      const claim: WorkTable['claim'] = async (options) => {
        const claimed = await parts.work.claim(options)
        const lost = claimed.splice(Math.ceil(claimed.length / 2))
        for (const row of lost) await parts.work.finish(row, await parts.work.time())
        return claimed
      }
      return { ...parts, work: replaced(parts.work, { claim }) }
    })
    await scene.clock.advance(500)
    assert.equal(await scene.open(), 0)
  })

  it('at once for what is too old, however much it is', async () => {
    scene.policy = policyOf({ maxAgeMs: HOUR_MS })
    for (const n of range(400)) {
      scene.client(`c${n}`)
      await scene.owe(`c${n}`)
    }
    const work = scene.store.work('deliveries')
    const now = await work.time()
    for (const row of await work.claim({ holder: 'somebody', now: now + 1, limit: 1_000, perLane: 10 }))
      await work.putBack(row, { dueAt: now + 100 * HOUR_MS, body: row.body })
    await scene.clock.advance(HOUR_MS + 1)
    await scene.dispatcher({ concurrency: 16 })
    await scene.clock.advance(1_000)
    assert.equal(await scene.open(), 0)
  })

  it('a second after it gave back what it could not work on', async () => {
    scene.client('a')
    await scene.owe('a')
    await scene.dispatcher({}, scene.clock, (parts) => {
      let claimedAt: number | undefined
      const claim: WorkTable['claim'] = async (options) => {
        const claimed = await parts.work.claim(options)
        if (claimed.length > 0) claimedAt ??= scene.clock.monotonic()
        return claimed
      }
      const time: WorkTable['time'] = async () => {
        if (scene.clock.monotonic() === claimedAt) throw new TypeError('unforeseen')
        return parts.work.time()
      }
      return { ...parts, work: replaced(parts.work, { claim, time }) }
    })
    for (const _ of range(40)) await scene.clock.advance(100)
    assert.deepEqual(
      scene.posts.map(({ atMs }) => atMs),
      [1_000],
    )
  })

  it('no more for an RP that has become slow than it has places: others have places, too', async () => {
    scene.client('a', () => says(200))
    const other = new FakeClock()
    await scene.owe('a', 40)
    await scene.dispatcher()
    for (const _ of range(20)) await scene.clock.advance(100)
    assert.equal(await scene.open(), 0)
    const began = scene.clock.monotonic()
    const at: number[] = []
    scene.behave('a', () => {
      at.push(scene.clock.monotonic() - began)
      return new Promise((resolve) => scene.clock.setTimeout(() => resolve(says(200)), 8_000))
    })
    await scene.owe('a', 112)
    await scene.dispatcher({}, other)
    for (let n = 0; at.length < 112 && n < 600; n++) await Promise.all([scene.clock.advance(100), other.advance(100)])
    assert.equal(at.length, 112)
    assert.ok(Math.max(...at) < 40_000, `the last one was sent after ${Math.max(...at)} ms`)
  })
})
