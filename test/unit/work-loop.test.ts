import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { Heartbeat, StoreUnavailableError, silent, type Work, type WorkTable } from '../../lib/index.ts'
import { INSIST_MS, retryUntilStored } from '../../plugins/back-channel-logout/work/retry-until-stored.ts'
import { HAND_MS, WorkLoop, type WorkLoopParts } from '../../plugins/back-channel-logout/work/work-loop.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { KeptLog } from '../support/kept-log.ts'

const DAY_MS = 86_400_000

const away = (): Promise<never> => Promise.reject(new StoreUnavailableError('away'))

describe('a loop that does the work of a table', () => {
  let store: MemoryEventStore
  let table: WorkTable
  let clock: FakeClock
  let log: KeptLog
  let loops: { readonly loop: WorkLoop; readonly clock: FakeClock }[]

  beforeEach(() => {
    store = new MemoryEventStore()
    table = store.work('jobs')
    clock = new FakeClock(0)
    log = new KeptLog()
    loops = []
  })

  afterEach(async () => {
    for (const { loop, clock: own } of loops) {
      const stopping = loop.stop()
      await own.advance(30_000)
      await stopping
    }
    await store.close()
  })

  /** A process, on a clock of its own where one is given. */
  async function start(carry: (work: Work) => Promise<void>, more: Partial<WorkLoopParts> = {}): Promise<WorkLoop> {
    const own = (more.clock as FakeClock | undefined) ?? clock
    const loop = new WorkLoop({
      work: table,
      clock: own,
      logger: log,
      heartbeat: new Heartbeat({ store, clock: own, logger: silent }),
      called: 'jobs',
      claims: [(holder) => table.claim({ holder, now: own.now(), limit: 10, perLane: 10 })],
      process: carry,
      pause: async () => {
        const dueAt = await table.nextDueAt()
        return dueAt === undefined ? Number.POSITIVE_INFINITY : Math.max(1, dueAt - own.now())
      },
      ...more,
    })
    loops.push({ loop, clock: own })
    await loop.start()
    return loop
  }

  const add = (...ids: string[]): Promise<void> =>
    table.add(ids.map((id) => ({ id, lane: 'lane', dueAt: 0, body: {} })))
  const events = (name: string): number => log.lines.filter(({ fields }) => fields['event'] === name).length
  const finish = async (work: Work): Promise<void> => void (await table.finish(work, clock.now()))

  it('gives to others what has been in hand for too long, says so, and lets the late one change nothing', async () => {
    await add('a')
    const late: Work[] = []
    await start((work) => {
      late.push(work)
      return late.length === 1 ? new Promise(() => {}) : finish(work)
    })
    await clock.advance(HAND_MS - 1)
    assert.equal(events('work_stuck'), 0)
    await clock.advance(10_000)
    assert.equal(events('work_stuck'), 1)
    assert.equal(late.length, 2)
    assert.equal(await table.putBack(late[0] as Work, { dueAt: 0, body: { late: true } }), false)
    assert.ok((await table.get('a'))?.doneAt !== undefined)
  })

  it('gives back what could neither be done nor given back, as soon as the store takes it', async () => {
    await add('a')
    let carried = 0
    const { putBack } = table
    table.putBack = away
    await start(async (work) => {
      carried += 1
      if (carried === 1) throw new StoreUnavailableError('away')
      await finish(work)
    })
    await clock.advance(60_000)
    assert.equal(carried, 1)
    table.putBack = putBack
    await clock.advance(120_000)
    assert.equal(carried, 2)
    assert.equal(events('work_failed'), 1)
  })

  it('frees what a holder has in hand who is not among the living, at the second look and not before', async () => {
    await add('a')
    await table.claim({ holder: 'ghost', now: 0, limit: 1, perLane: 1 })
    const done: string[] = []
    await start(async (work) => {
      done.push(work.id)
      await finish(work)
    })
    await clock.advance(29_000)
    assert.deepEqual(done, [])
    await clock.advance(40_000)
    assert.deepEqual(done, ['a'])
    assert.equal(events('work_taken_over'), 1)
  })

  it('frees what a holder has in hand whom it sees die, within 15 s', async () => {
    await add('a')
    await store.liveness.beat(['dying'])
    await table.claim({ holder: 'dying', now: 0, limit: 1, perLane: 1 })
    const done: string[] = []
    await start(async (work) => {
      done.push(work.id)
      await finish(work)
    })
    await clock.advance(15_000)
    assert.deepEqual(done, ['a'])
  })

  it('leaves alone what the living have in hand, however long that takes', async () => {
    await add('a')
    await table.claim({ holder: 'alive', now: 0, limit: 1, perLane: 1 })
    await start(finish)
    for (let n = 0; n < 60; n++) {
      await store.liveness.beat(['alive'])
      await clock.advance(5_000)
    }
    assert.equal((await table.get('a'))?.holder, 'alive')
  })

  it('leaves alone what a newcomer has in hand, while signs of life are not to be had', async () => {
    await start(finish)
    store.liveness.beat = away
    await table.add([{ id: 'a', lane: 'l', dueAt: clock.now() + 300_000, body: {} }])
    await table.claim({ holder: 'newcomer', now: clock.now() + 300_000, limit: 1, perLane: 1 })
    for (let n = 0; n < 24; n++) await clock.advance(5_000)
    assert.equal((await table.get('a'))?.holder, 'newcomer')
  })

  it('falls silent when it can read nothing from its table, and others do its work', async () => {
    await add('a')
    const deaf = new FakeClock(0)
    let isDeaf = false
    await start(() => new Promise(() => {}), {
      clock: deaf,
      claims: [(holder) => (isDeaf ? away() : table.claim({ holder, now: 0, limit: 10, perLane: 10 }))],
      pause: () => (isDeaf ? away() : Promise.resolve(Number.POSITIVE_INFINITY)),
    })
    await deaf.advance(1_000)
    assert.ok((await table.get('a'))?.holder !== undefined)
    isDeaf = true
    const done: string[] = []
    await start(async (work) => {
      done.push(work.id)
      await finish(work)
    })
    for (let seconds = 0; seconds < 60; seconds++) await Promise.all([deaf.advance(1_000), clock.advance(1_000)])
    assert.deepEqual(done, ['a'])
  })

  it('does not retry for ever to store an outcome', async () => {
    let tries = 0
    const write = (): Promise<never> => {
      tries += 1
      return away()
    }
    let failed = false
    const insisting = retryUntilStored(write, { clock, logger: log }, new AbortController().signal).catch(() => {
      failed = true
    })
    await clock.advance(INSIST_MS - 10_000)
    assert.equal(failed, false)
    await clock.advance(20_000)
    await insisting
    assert.equal(failed, true)
    assert.ok(tries < 200, `${tries} tries`)
  })

  it('does not retry to store an outcome once it is to stop', async () => {
    const stopping = new AbortController()
    let tries = 0
    const write = (): Promise<never> => {
      tries += 1
      if (tries === 3) stopping.abort()
      return away()
    }
    const retrying = assert.rejects(retryUntilStored(write, { clock, logger: log }, stopping.signal))
    await clock.advance(10_000)
    await retrying
    assert.equal(tries, 3)
  })

  it('looks less and less often while nothing is due, and at once for what is', async () => {
    let looks = 0
    const { nextDueAt } = table
    table.nextDueAt = (prefix) => {
      looks += 1
      return nextDueAt.call(table, prefix)
    }
    const done: number[] = []
    await start(async (work) => {
      done.push(clock.now())
      await finish(work)
    })
    await clock.advance(62_000)
    assert.ok(looks <= 15, `${looks} looks`)
    await table.add([{ id: 'later', lane: 'lane', dueAt: 100_000, body: {} }])
    await clock.advance(60_000)
    assert.deepEqual(done, [100_000])
  })

  it('is woken for what is added in its own process', async () => {
    const done: number[] = []
    const loop = await start(async (work) => {
      done.push(clock.now())
      await finish(work)
    })
    await clock.advance(60_000)
    await add('a')
    loop.wake()
    await clock.advance(0)
    assert.deepEqual(done, [60_000])
  })

  it('keeps what is finished for a day by the clock of the table, whatever its own says', async () => {
    let time = 10 * DAY_MS
    table.time = async () => time
    await add('finished')
    const [work] = await table.claim({ holder: 'another', now: 0, limit: 1, perLane: 1 })
    await table.finish(work as Work, time)
    clock.jumpWall(30 * DAY_MS)
    const loop = await start(finish)
    await clock.advance(2 * 3_600_000)
    assert.equal((await table.get('finished'))?.doneAt, 10 * DAY_MS)
    time += DAY_MS + 1
    loop.wake()
    await clock.advance(1_000)
    assert.equal(await table.get('finished'), undefined)
  })
})
