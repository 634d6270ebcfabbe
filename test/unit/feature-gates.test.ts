import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { type EventStore, type Feature, OptionInvalidError, StoreUnavailableError } from '../../lib/index.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { Gate } from '../support/gate.ts'
import { KeptLog } from '../support/kept-log.ts'
import {
  ISSUER,
  type OperatedProcess,
  type OperatedProcessOptions,
  operatedProcess,
} from '../support/operated-process.ts'
import { SteeredStore } from '../support/steered-store.ts'

const LOGOUT = 'back_channel_logout'
const SINGLE = 'single_session_termination'
const OTHER = 'https://other.example.com'

describe('the features of an OP', () => {
  let clock: FakeClock
  let memory: EventStore
  let store: SteeredStore
  let log: KeptLog
  let running: OperatedProcess[]

  beforeEach(() => {
    clock = new FakeClock('2026-05-01T08:00:00Z')
    memory = new MemoryEventStore({ clock })
    store = new SteeredStore(memory)
    log = new KeptLog()
    running = []
  })

  afterEach(async () => {
    await Promise.all(running.map(({ operators }) => operators.stop()))
    await memory.close()
  })

  async function start(options: Partial<OperatedProcessOptions> = {}): Promise<OperatedProcess> {
    const process = operatedProcess(store, { clock, logger: log, ...options })
    await process.operators.start()
    running.push(process)
    return process
  }

  const system = { level: 'system', actor: 'ann' } as const
  const instance = { level: 'instance', actor: 'bob' } as const

  describe('with values at several levels', () => {
    for (const configured of [undefined, false, true])
      for (const atSystem of [undefined, false, true])
        for (const atInstance of [undefined, false, true]) {
          const expected = atInstance ?? atSystem ?? configured ?? false
          it(`is ${expected} where configuration, system and instance say ${configured}, ${atSystem}, ${atInstance}`, async () => {
            const { features } = await start(configured === undefined ? {} : { configured: { [LOGOUT]: configured } })
            if (atInstance !== undefined) await features.set(LOGOUT, atInstance, instance)
            if (atSystem !== undefined) await features.set(LOGOUT, atSystem, system)
            assert.equal(features.isOn(LOGOUT), expected)
            assert.equal(features.isOn(SINGLE), false)
          })
        }
  })

  it('falls back to the next level where a value is reset', async () => {
    const { features } = await start({ configured: { [LOGOUT]: true } })
    await features.set(LOGOUT, false, system)
    await features.set(LOGOUT, true, instance)
    await features.reset(LOGOUT, instance)
    assert.equal(features.isOn(LOGOUT), false)
    await features.reset(LOGOUT, system)
    assert.equal(features.isOn(LOGOUT), true)
    await features.reset(LOGOUT, system)
    assert.equal(features.isOn(LOGOUT), true)
  })

  it('are listed with where each value comes from, who set it and when', async () => {
    const { features } = await start({ configured: { [LOGOUT]: true } })
    const first = clock.now()
    await features.set(LOGOUT, true, system)
    await clock.advance(5_000)
    await features.set(LOGOUT, false, instance)
    assert.deepEqual(await features.list(), [
      {
        feature: LOGOUT,
        enabled: false,
        from: 'instance',
        configured: true,
        system: { enabled: true, actor: 'ann', at: first },
        instance: { enabled: false, actor: 'bob', at: first + 5_000 },
      },
      { feature: SINGLE, enabled: false, from: 'configuration', configured: false },
    ])
    await features.reset(LOGOUT, instance)
    const [logout] = await features.list()
    assert.deepEqual([logout?.enabled, logout?.from, logout?.instance], [true, 'system', undefined])
  })

  it('are listed with what another process has set a moment ago', async () => {
    const [one, two] = [await start(), await start()]
    await one.features.set(LOGOUT, true, system)
    assert.equal(two.features.isOn(LOGOUT), false)
    assert.equal((await two.features.list())[0]?.from, 'system')
    assert.equal(two.features.isOn(LOGOUT), true)
  })

  it('are facts of the log, numbered, with who did it', async () => {
    const { features } = await start()
    await features.set(LOGOUT, false, system)
    await features.reset(LOGOUT, instance)
    const [set, reset] = await memory.readAll({ after: 0, limit: 10 })
    assert.deepEqual(set?.events, [
      {
        stream: 'feature:system',
        type: 'feature.set',
        version: 1,
        data: { feature: LOGOUT, enabled: false, level: 'system', actor: 'ann' },
      },
    ])
    assert.deepEqual(set?.meta, { actor: 'ann' })
    assert.deepEqual(reset?.events, [
      {
        stream: `feature:instance:${ISSUER}`,
        type: 'feature.reset',
        version: 1,
        data: { feature: LOGOUT, level: 'instance', actor: 'bob' },
      },
    ])
    assert.deepEqual(reset?.meta, { actor: 'bob', instance: ISSUER })
  })

  const MEANINGLESS: readonly (readonly [string, unknown[]])[] = [
    ['feature', ['logout', true, system]],
    ['feature', [undefined, true, system]],
    ['feature', ['toString', true, system]],
    ['enabled', [LOGOUT, 'yes', system]],
    ['enabled', [LOGOUT, undefined, system]],
    ['level', [LOGOUT, true, { actor: 'ann' }]],
    ['level', [LOGOUT, true, { ...system, level: 'tenant' }]],
    ['level', [LOGOUT, true]],
    ['actor', [LOGOUT, true, { level: 'system' }]],
    ['actor', [LOGOUT, true, { level: 'system', actor: ' ' }]],
    ['actor', [LOGOUT, true, { level: 'system', actor: 7 }]],
    ['actor', [LOGOUT, true, { level: 'system', actor: 'a\ud800' }]],
    ['actor', [LOGOUT, true, { level: 'system', actor: 'x'.repeat(1_025) }]],
  ]
  for (const [option, args] of MEANINGLESS) {
    it(`refuses set(${JSON.stringify(args).slice(1, -1)}), naming ${option}`, async () => {
      const { features } = await start()
      const set = features.set.bind(features) as (...args: unknown[]) => Promise<void>
      const named = (error: unknown): boolean => error instanceof OptionInvalidError && error.option === option
      await assert.rejects(set(...args), named)
      if (option !== 'enabled') {
        const reset = features.reset.bind(features) as (...args: unknown[]) => Promise<void>
        await assert.rejects(reset(args[0], args[2]), named)
      }
      assert.deepEqual(await memory.readAll({ after: 0, limit: 1 }), [])
    })
  }

  it('are set for the system before the issuer is known, and for the instance only then', async () => {
    const { features } = operatedProcess(store, { clock, issuers: [] })
    await features.set(LOGOUT, true, system)
    assert.equal(features.isOn(LOGOUT), true)
    await assert.rejects(features.set(LOGOUT, true, instance), { code: 'PROVIDER_UNFIT' })
  })

  describe('in several processes', () => {
    it('hold at once where they are set, and two seconds later everywhere', async () => {
      const [one, two] = [await start(), await start()]
      await one.features.set(LOGOUT, true, instance)
      assert.equal(one.features.isOn(LOGOUT), true)
      await clock.advance(1_999)
      assert.equal(two.features.isOn(LOGOUT), false)
      await clock.advance(1)
      assert.equal(two.features.isOn(LOGOUT), true)
    })

    it('are known before the start is done', async () => {
      await (await start()).features.set(LOGOUT, true, system)
      assert.equal((await start()).features.isOn(LOGOUT), true)
    })

    it('are of their own issuer, but for the system’s', async () => {
      const one = await start()
      const other = await start({ issuers: [OTHER] })
      await one.features.set(LOGOUT, true, instance)
      await one.features.set(SINGLE, true, system)
      await clock.advance(2_000)
      assert.deepEqual([other.features.isOn(LOGOUT), other.features.isOn(SINGLE)], [false, true])
      await other.features.set(SINGLE, false, instance)
      await clock.advance(2_000)
      assert.deepEqual([one.features.isOn(SINGLE), other.features.isOn(SINGLE)], [true, false])
    })

    it('go on under another issuer with what was set under the former one', async () => {
      await (await start()).features.set(LOGOUT, true, instance)
      const moved = await start({ issuers: [OTHER, ISSUER] })
      assert.equal(moved.features.isOn(LOGOUT), true)
      await moved.features.set(LOGOUT, false, instance)
      assert.deepEqual(
        await memory.latest(`feature:instance:${ISSUER}`),
        (await memory.readAll({ after: 0, limit: 1 }))[0],
      )
      assert.equal(moved.features.isOn(LOGOUT), false)
    })

    it('set at once at two levels and twice at one lose nothing, and the last one in the log wins', async () => {
      const [one, two] = [await start(), await start()]
      await Promise.all([
        one.features.set(LOGOUT, true, instance),
        two.features.set(LOGOUT, false, system),
        two.features.set(LOGOUT, false, { ...instance, actor: 'cid' }),
        one.features.set(SINGLE, true, system),
      ])
      const last = (await memory.read(`feature:instance:${ISSUER}`)).at(-1)
      for (const { features } of [one, two]) {
        const [logout, single] = await features.list()
        assert.deepEqual(logout?.system, { enabled: false, actor: 'ann', at: clock.now() })
        assert.deepEqual(
          [logout?.instance?.actor, logout?.enabled],
          [last?.meta.actor, last?.events[0]?.data['enabled']],
        )
        assert.equal(single?.enabled, true)
      }
    })
  })

  describe('of a newer version', () => {
    it('are none of this one’s', async () => {
      await memory.append({
        events: [
          { stream: 'feature:system', type: 'feature.set', data: { feature: 'new', enabled: true, actor: 'x' } },
        ],
      })
      const { features } = await start()
      assert.deepEqual(
        (await features.list()).map(({ feature }) => feature),
        [LOGOUT, SINGLE],
      )
    })

    it('let what is known hold where their facts cannot be read, and a start fail', async () => {
      const { features } = await start()
      await features.set(LOGOUT, true, system)
      await memory.append({ events: [{ stream: 'feature:system', type: 'feature.halved', data: { feature: LOGOUT } }] })
      await clock.advance(3_000)
      assert.equal(features.isOn(LOGOUT), true)
      assert.equal(log.of(/what operators have set cannot be read/).length, 1)
      await assert.rejects(start(), { code: 'EVENT_TYPE_UNKNOWN' })
    })
  })

  describe('while the store is away', () => {
    const away = (): never => {
      throw new StoreUnavailableError('away')
    }

    it('hold as they were known, with one warning; and as they are when it is back', async () => {
      const [one, two] = [await start(), await start()]
      await one.features.set(LOGOUT, true, system)
      await clock.advance(2_000)
      store.beforeRead = away
      await clock.advance(60_000)
      for (const { features } of [one, two]) assert.equal(features.isOn(LOGOUT), true)
      assert.equal(log.of(/cannot be read/).length, 2) // one of each process
      store.beforeRead = undefined
      await one.features.set(LOGOUT, false, system)
      await clock.advance(2_000)
      for (const { features } of [one, two]) assert.equal(features.isOn(LOGOUT), false)
      assert.equal(log.of(/can be read again/).length, 2)
      store.beforeRead = away
      await clock.advance(60_000)
      assert.equal(log.of(/cannot be read/).length, 4) // another time is worth another line
    })

    it('are not set where that could not be stored', async () => {
      const { features } = await start()
      store.beforeAppend = away
      await assert.rejects(features.set(LOGOUT, true, system), { code: 'STORE_UNAVAILABLE' })
      store.beforeAppend = undefined
      await clock.advance(2_000)
      assert.equal(features.isOn(LOGOUT), false)
    })

    it('are set where that was stored, and hold when the store can be read', async () => {
      const { features } = await start()
      store.beforeRead = away
      await features.set(LOGOUT, true, system)
      store.beforeRead = undefined
      await clock.advance(2_000)
      assert.equal(features.isOn(LOGOUT), true)
    })

    it('let a start fail that can be repeated', async () => {
      store.beforeRead = away
      await assert.rejects(start(), { code: 'STORE_UNAVAILABLE' })
      assert.equal(clock.pending, 0)
      store.beforeRead = undefined
      await start()
    })
  })

  describe('are read', () => {
    it('when somebody tells that he has set something, and once a minute, with one command; no more once it is stopped', async () => {
      const { operators } = await start()
      const acts: number[] = []
      const unfollow = operators.follow('other', (heard) => acts.push(heard.length))
      await clock.advance(2_000) // the first heartbeat may tell of what came before
      store.reads.splice(0)
      acts.splice(0)
      const streams = ['feature:system', `feature:instance:${ISSUER}`, 'other:system', `other:instance:${ISSUER}`]
      for (const waitMs of [60_000, 60_000]) {
        await clock.advance(waitMs - 1)
        assert.deepEqual(store.reads, [])
        await clock.advance(1)
        assert.deepEqual(store.reads.splice(0), [{ kind: 'readStreams', streams }])
      }
      await memory.liveness.notify()
      await clock.advance(2_000)
      assert.deepEqual(store.reads.splice(0), [{ kind: 'readStreams', streams }])
      assert.deepEqual(acts, [0, 0, 0])
      unfollow()
      await clock.advance(60_000)
      assert.deepEqual(store.reads.splice(0), [{ kind: 'readStreams', streams: streams.slice(0, 2) }])
      await operators.stop()
      assert.equal(clock.pending, 0)
      const { length } = store.reads
      await clock.advance(100_000)
      assert.equal(store.reads.length, length)
    })

    it('again after a stop and a start, by one timer however often it is started', async () => {
      const { operators, features } = await start()
      await operators.stop()
      await operators.start()
      await operators.start()
      assert.equal(clock.pending, 2) // one for the heartbeat, one for the look that comes anyhow
      await (await start()).features.set(LOGOUT, true, system)
      await clock.advance(2_000)
      assert.equal(features.isOn(LOGOUT), true)
    })

    it('one after the other: what a slow read finds never hides what was set meanwhile', async () => {
      const { features } = await start()
      const { read } = memory
      const answer = new Gate()
      answer.shut()
      memory.read = async (stream, options) => {
        memory.read = read
        const found = await read.call(memory, stream, options)
        await answer.pass()
        return found
      }
      await clock.advance(2_000)
      const setting = features.set(LOGOUT, true, system)
      await clock.advance(0)
      answer.open()
      await setting
      await clock.advance(0)
      assert.equal(features.isOn(LOGOUT), true)
    })
  })

  it('tell how long one was off', async () => {
    const { features } = await start({ configured: { [LOGOUT]: true } })
    const began = clock.now()
    const feature: Feature = LOGOUT
    await clock.advance(1_000)
    await features.set(feature, false, system)
    await features.set(SINGLE, false, system)
    await clock.advance(500)
    await features.set(feature, true, instance)
    await clock.advance(1_000)
    assert.equal(features.offMs(feature, began, clock.now()), 500)
    assert.equal(features.offMs(SINGLE, began, clock.now()), 2_500)
  })
})
