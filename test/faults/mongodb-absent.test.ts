import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import type { EventStore } from '../../lib/log/event-store.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { type Appending, append, appendAll, commitOf } from '../support/appending.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { assertLogSound } from '../support/invariants.ts'
import { openProxiedLog, type ProxiedLog } from '../support/proxied-log.ts'

const DAY_MS = 86_400_000

describe('a MongoDB server that does not answer any more', () => {
  let log: ProxiedLog
  let clock: FakeClock
  let store: EventStore
  const answered: Appending[] = []
  const said: object[] = []
  const quiet = (): void => {}
  const logger = { debug: quiet, info: quiet, warn: (fields: object) => said.push(fields), error: quiet } as never

  beforeEach(async () => {
    // The driver itself would wait: for a server half a minute, for an answer for ever.
    log = await openProxiedLog({ client: { retryWrites: false, retryReads: false } })
    clock = new FakeClock()
    said.length = 0
    store = await MongoEventStore.open(log.proxiedDb, { keys: log.keys, clock, logger })
    answered.length = 0
    answered.push(await append(store, commitOf('before', { stream: 'Thing:v', version: 1 })))
  })
  afterEach(async () => {
    log.proxy.resume()
    log.proxy.accept()
    await store.close()
    await log.remove()
  })

  /** Settles while the store's clock moves on, by `mostMs` milliseconds at most. */
  async function within<T>(mostMs: number, work: Promise<T>, paceMs: number = 1): Promise<{ value: T; ms: number }> {
    const start = clock.monotonic()
    let done = false
    const noted = work.finally(() => {
      done = true
    })
    noted.catch(() => {})
    while (!done) {
      assert.ok(clock.monotonic() - start <= mostMs, `nothing after ${mostMs} ms`)
      await clock.advance(100)
      // The driver lives in the machine's time: it must not be left too far behind.
      await sleep(paceMs)
    }
    return { value: await noted, ms: clock.monotonic() - start }
  }

  for (const [how, leave] of [
    ['hangs', () => log.proxy.stall()],
    [
      'is gone',
      () => {
        log.proxy.refuse()
        log.proxy.cutAll()
      },
    ],
  ] as const) {
    it(`is told to those who append as STORE_UNAVAILABLE within ten seconds, when it ${how}; nothing was stored`, async () => {
      // One in flight, so that the others are not sent.
      const held = log.proxy.hold({ command: 'bulkWrite' })
      const first = append(store, commitOf('in flight'))
      await held.arrived
      leave()
      const commits = [commitOf('a'), commitOf('b'), commitOf('v2', { stream: 'Thing:v', version: 2 })]
      const { value } = await within(10_000, appendAll(store, commits))
      assert.deepEqual(
        value.map(({ code }) => code),
        ['STORE_UNAVAILABLE', 'STORE_UNAVAILABLE', 'STORE_UNAVAILABLE'],
      )
      answered.push(...value)
      held.release()
      log.proxy.resume()
      log.proxy.accept()
      assert.equal((await within(10_000, first)).value.code, 'OUTCOME_UNKNOWN')
      answered.push((await within(9_000, append(store, commitOf('after')), 20)).value)
      assert.equal(answered.at(-1)?.code, undefined)
      await assertLogSound(log.db, { answered })
    })
  }

  it('is told to whose append was sent as OUTCOME_UNKNOWN within ten seconds, and close() waits no longer', async () => {
    log.proxy.cutAfter({ command: 'bulkWrite' })
    const held = log.proxy.hold({ command: 'find', times: Number.POSITIVE_INFINITY })
    const arrived = log.proxy.arrival('find')
    const unknown = append(store, commitOf('unknown'))
    await arrived
    const closing = store.close()
    await rejectsWith('STORE_CLOSED', () => store.append(commitOf('too late')))
    const { value } = await within(10_000, unknown)
    assert.equal(value.code, 'OUTCOME_UNKNOWN')
    await within(2_000, closing)
    assert.deepEqual(said, [{ component: 'store', appends: 1, event: 'outcomes_left_unknown' }])
    held.release()
    await assertLogSound(log.db, { answered })
  })

  it('does not keep close() waiting when appends wait for it and subscriptions follow', async () => {
    const follower = new Follower(store, 0)
    await follower.saw([answered[0]?.id ?? ''])
    log.proxy.stall()
    const waiting = append(store, commitOf('waiting'))
    await within(12_000, store.close())
    assert.ok(['STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN'].includes((await waiting).code ?? 'stored'))
    await follower.ended
  })

  it('is told to those who read, or do the work of the log, within ten seconds when it hangs', async () => {
    log.proxy.stall()
    for (const call of [
      () => store.latest('Thing:v'),
      () => store.readStreams(['Thing:v']),
      () => store.end(),
      () => store.consumers.list(),
      () => store.work('deliveries').claim({ holder: 'me', now: 0, limit: 1, perLane: 1 }),
    ]) {
      await within(10_000, rejectsWith('STORE_UNAVAILABLE', call))
    }
  })

  it('is told to those who read after two tries, and the next read is answered', async () => {
    log.proxy.dropBefore({ times: 12 })
    for (const read of [
      () => store.latest('s'),
      () => store.read('s'),
      () => store.readStreams(['s']),
      () => store.readAll({ after: 0, limit: 1 }),
      () => store.end(),
      () => store.consumers.list(),
    ]) {
      const error = await rejectsWith('STORE_UNAVAILABLE', read)
      assert.notEqual(error.cause, undefined)
    }
    assert.equal((await store.read('Thing:v')).length, 1)
  })
})

describe('a wall clock that jumps', () => {
  for (const jump of [-400 * DAY_MS, 400 * DAY_MS]) {
    it(`by ${jump / DAY_MS} days disturbs neither appends nor subscriptions`, async () => {
      const log = await openProxiedLog({ client: { retryWrites: false } })
      const clock = new FakeClock()
      const store = await MongoEventStore.open(log.proxiedDb, { keys: log.keys, clock })
      const follower = new Follower(store, 0)
      const answered = [await append(store, commitOf('before'))]
      const held = log.proxy.hold({ command: ['bulkWrite', 'insert'] })
      const inFlight = append(store, commitOf('in flight'))
      await held.arrived
      clock.jumpWall(jump)
      held.release()
      answered.push(await inFlight, ...(await appendAll(store, [commitOf('a'), commitOf('b')])))
      await follower.saw(answered.flatMap(({ id }) => id ?? []))
      await follower.stop()
      assert.deepEqual(
        answered.map(({ code }) => code),
        [undefined, undefined, undefined, undefined],
      )
      const subscribers = [{ after: 0, ids: follower.ids }]
      await assertLogSound(log.db, { answered, subscribers })
      const times = (await store.readAll({ after: 0, limit: 9 })).map(({ at }) =>
        Math.sign(at - Date.parse('2026-01-02')),
      )
      assert.deepEqual(
        times,
        [-1, -1, Math.sign(jump), Math.sign(jump)],
        '`at` is for people, and as the wall clock says',
      )
      await store.close()
      await log.remove()
    })
  }
})
