import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import {
  CheckpointAheadError,
  type Commit,
  Consumer,
  type ConsumerOptions,
  OutcomeUnknownError,
  StoreRefusedError,
  StoreUnavailableError,
  silent,
} from '../../lib/index.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { type Follower, follower, Obstacle, until } from '../support/log-follower.ts'

describe('a consumer of the log', () => {
  let store: MemoryEventStore
  let made: Follower | undefined

  beforeEach(() => {
    store = new MemoryEventStore()
  })

  afterEach(async () => {
    await made?.consumer.stop()
    await store.close()
  })

  async function start(
    handle: (commits: readonly Commit[]) => Promise<void>,
    more: Parameters<typeof follower>[3] = {},
  ): Promise<Follower> {
    made = follower(store, 'c', handle, more)
    await made.consumer.start(0)
    return made
  }

  async function append(): Promise<number> {
    return (await store.append({ events: [{ stream: 'a', type: 'happened', data: {} }] })).position
  }

  const position = async (): Promise<number | undefined> => (await store.consumers.get('c'))?.position

  for (const [option, value] of [
    ['store', {}],
    ['name', ''],
    ['name', 7],
    ['handle', undefined],
    ['onFailure', 'skip'],
    ['lease', 5],
  ] as const) {
    it(`refuses ${option}: ${JSON.stringify(value)}, by name`, () => {
      const options = { store, name: 'c', handle: async () => {}, [option]: value } as unknown as ConsumerOptions
      assert.throws(() => new Consumer(options), { code: 'OPTION_INVALID', option })
    })
  }

  it('waits longer before each try of a commit that fails, up to ten seconds', async () => {
    await append()
    const times: number[] = []
    const a = await start(async () => {
      times.push(a.clock.monotonic())
      throw new Error('no')
    })
    await until(() => a.consumer.failure !== undefined, [a.clock], 10_000)
    const waits = times.slice(2).map((time, i) => time - (times[i + 1] ?? 0))
    assert.deepEqual(waits, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000])
  })

  for (const error of [
    new StoreUnavailableError('away'),
    new OutcomeUnknownError('no answer'),
    new StoreRefusedError('a full disk'),
  ]) {
    it(`does not hold ${error.code} against the commit: it goes on when the store is back`, async () => {
      const at = await append()
      let away = true
      let tries = 0
      const a = await start(async () => {
        tries += 1
        if (away) throw error
      })
      await until(() => tries > 50, [a.clock], 5_000)
      assert.equal(a.consumer.failure, undefined)
      assert.equal(await position(), 0)
      away = false
      await until(async () => (await position()) === at, [a.clock])
      assert.deepEqual(a.handled, [at])
      assert.equal(a.log.of(/was interrupted/).length, 1)
    })
  }

  it('does not hold against a commit that the store goes away while the batch is handled commit by commit', async () => {
    for (let commits = 0; commits < 2; commits++) await append()
    let away = 50
    const a = await start((commits) => {
      if (commits.length > 1) throw new Error('one of them cannot be handled')
      if (commits[0]?.position === 2 && away-- > 0) throw new StoreUnavailableError('away')
      return Promise.resolve()
    })
    await until(async () => a.consumer.failure !== undefined || (await position()) === 2, [a.clock], 5_000)
    assert.equal(a.consumer.failure, undefined)
  })

  it('keeps its lease while a batch is handled commit by commit, however long that takes: it makes progress', async () => {
    for (let commits = 0; commits < 10; commits++) await append()
    const a = await start(async (commits) => {
      if (commits.length > 1) throw new Error('one of them cannot be handled')
      await a.clock.sleep(8_000)
    })
    await until(async () => (await position()) === 10, [a.clock], 1_000)
    assert.deepEqual(a.log.of(/gives its lease up/), [])
  })

  it('does not park a commit while the store is away', async () => {
    await append()
    let tries = 0
    const handle = async (): Promise<void> => {
      tries += 1
      throw new StoreUnavailableError('away')
    }
    const a = await start(handle, { onFailure: 'park' })
    await until(() => tries > 20, [a.clock], 5_000)
    assert.equal(await store.work('parked').countOpen(), 0)
  })

  it('takes the lease again at once that it could not give back', async () => {
    const at = await append()
    let away = true
    const release = store.consumers.release
    store.consumers.release = async () => {
      throw new StoreUnavailableError('away')
    }
    const a = await start(async () => {
      if (away) throw new StoreUnavailableError('away')
    })
    await until(() => a.log.of(/was interrupted/).length > 0)
    away = false
    await until(async () => (await position()) === at, [a.clock], 50)
    store.consumers.release = release
    assert.ok(a.clock.monotonic() - 1_000 <= 200, `after ${a.clock.monotonic() - 1_000} ms`)
  })

  it('whose handler hangs is taken over though it cannot give its lease up, and takes fewer commits afterwards', async () => {
    for (let n = 0; n < 20; n++) await append()
    const release = store.consumers.release
    store.consumers.release = async () => {
      throw new StoreUnavailableError('away')
    }
    let hangs = true
    const sizes: number[] = []
    let goOn = (): void => {}
    made = follower(store, 'c', async (commits) => {
      sizes.push(commits.length)
      if (!hangs) return
      await new Promise<void>((resolve) => {
        goOn = resolve
      })
    })
    const a = made
    await a.consumer.start(0)
    await until(() => sizes.length > 0)
    const heir = follower(store, 'c')
    await heir.consumer.start(0)
    await until(async () => (await position()) === 20, [a.clock, heir.clock], 1_000)
    store.consumers.release = release
    hangs = false
    goOn()
    await heir.consumer.stop()
    for (let n = 0; n < 100; n++) await append()
    await until(async () => (await position()) === 120, [a.clock], 1_000)
    assert.ok(Number(sizes[1]) <= 500 / 8, `${sizes}`)
  })

  it('takes a lease within seconds that its holder gave up while it waited', async () => {
    const a = await start(async () => {})
    const heir = follower(store, 'c')
    await heir.consumer.start(0)
    for (let n = 0; n < 3; n++) await heir.clock.advance(1_000)
    await a.consumer.stop()
    const began = heir.clock.monotonic()
    const at = await append()
    await until(async () => (await position()) === at, [heir.clock], 500)
    assert.ok(heir.clock.monotonic() - began <= 4_000, `after ${heir.clock.monotonic() - began} ms`)
    await heir.consumer.stop()
  })

  it('waits on for a lease whose holder was as silent as the store, which was away for all', async () => {
    const a = await start(async () => {})
    const heir = follower(store, 'c')
    await heir.consumer.start(0)
    for (let n = 0; n < 6; n++) for (const one of [a, heir]) await one.clock.advance(1_000)
    const holder = (await store.consumers.get('c'))?.holder
    const { beat } = store.liveness
    store.liveness.beat = () => Promise.reject(new StoreUnavailableError('away'))
    for (const one of [a, heir]) await one.clock.advance(60_000)
    store.liveness.beat = beat
    await heir.clock.advance(8_000)
    assert.equal((await store.consumers.get('c'))?.holder, holder)
    await a.clock.advance(2_000)
    for (let n = 0; n < 60; n++) for (const one of [a, heir]) await one.clock.advance(1_000)
    assert.equal((await store.consumers.get('c'))?.holder, holder)
    await heir.consumer.stop()
  })

  it('gives its lease up while its handler hangs, so that another takes it at once', async () => {
    const obstacle = new Obstacle()
    const a = await start(() => obstacle.pass())
    const b = follower(store, 'c')
    try {
      await append()
      await until(() => a.log.of(/does not return/).length > 0 && !a.consumer.isHolder, [a.clock], 1_000)
      await new Promise((resolve) => setImmediate(resolve))
      assert.equal((await store.consumers.get('c'))?.holder, undefined)
      await b.consumer.start(0)
      await until(async () => (await position()) === 1)
      assert.equal(b.clock.monotonic(), 1_000, 'it waited')
    } finally {
      obstacle.remove()
      await b.consumer.stop()
    }
  })

  it('handles no further commit of a batch that is tried commit by commit once it was told to stop', async () => {
    for (let commits = 0; commits < 3; commits++) await append()
    const alone: number[] = []
    let stopped: Promise<void> | undefined
    const stopping = new Consumer({
      store,
      name: 'c',
      logger: silent,
      clock: new FakeClock(),
      async handle(commits) {
        if (commits.length > 1) throw new Error('one of them cannot be handled')
        alone.push(...commits.map(({ position }) => position))
        stopped = stopping.stop()
      },
    })
    await stopping.start(0)
    await until(() => stopped !== undefined)
    await stopped
    assert.deepEqual(alone, [1])
  })

  it('warns of each interruption, once', async () => {
    let away = true
    const a = await start(async () => {
      if (away) throw new StoreUnavailableError('away')
    })
    for (const warnings of [1, 2]) {
      away = true
      await append()
      await until(() => a.log.of(/was interrupted/).length === warnings, [a.clock])
      for (let i = 0; i < 5; i++) await a.clock.advance(5_000)
      away = false
      const end = await store.end()
      await until(async () => (await position()) === end, [a.clock])
      assert.equal(a.log.of(/was interrupted/).length, warnings)
    }
  })

  it('is refused where it would begin beyond the end of the log', async () => {
    const at = await append()
    const { consumer } = follower(store, 'c')
    await rejectsWith('CHECKPOINT_AHEAD', () => consumer.start(at + 1))
    await consumer.stop()
  })

  it("stops, visibly, where its checkpoint turns out to be beyond the log's end", async () => {
    const ahead = new CheckpointAheadError('c', 7, 3)
    store.consumers.take = async () => {
      throw ahead
    }
    const a = await start(async () => {})
    await until(() => a.log.of(/has stopped/).length > 0, [a.clock])
    assert.equal(a.consumer.failure, ahead)
    assert.deepEqual(a.handled, [])
  })

  it('starts and stops once, however often it is told', async () => {
    const a = await start(async () => {})
    await a.consumer.start(0)
    const at = await append()
    await until(async () => (await position()) === at)
    await a.consumer.stop()
    await a.consumer.stop()
    assert.deepEqual(a.handled, [at])
    assert.equal(a.clock.pending, 0)
  })

  it('can be stopped before it was started', async () => {
    await follower(store, 'never').consumer.stop()
  })

  it('stops while it waits for a lease that others hold, and while a commit fails', async () => {
    const a = await start(async () => {
      throw new Error('no')
    })
    await append()
    await until(() => a.log.of(/could not be handled/).length > 0)
    const b = follower(store, 'c')
    await b.consumer.start(0)
    await b.clock.scheduled()
    await b.consumer.stop()
    await a.consumer.stop()
    assert.equal(b.clock.pending, 0)
    assert.equal(await position(), 0)
  })
})
