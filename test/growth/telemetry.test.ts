import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import {
  type EventStore,
  ephemeralKeys,
  type Reading,
  StoreUnavailableError,
  silent,
  type WorkTable,
} from '../../lib/index.ts'
import { LogRetention } from '../../lib/retention/retention.ts'
import { logGauges } from '../../lib/telemetry/log-gauges.ts'
import type { Health } from '../../plugins/back-channel-logout/health.ts'
import { LogoutGauges } from '../../plugins/back-channel-logout/logout-gauges.ts'
import { laneOf } from '../../plugins/back-channel-logout/work/lanes.ts'
import { CountedStore, counted } from '../support/counted-store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { openDatabase } from '../support/mongo-database.ts'
import { OP } from '../support/planning.ts'

const SIZES = [1, 100, 10_000] as const
const HEALTH: Health = { isWell: true, store: { isReachable: true }, isOn: true }

function retentionOf(store: EventStore, clock: FakeClock): LogRetention {
  return new LogRetention({ store, clock, logger: silent, policy: undefined, rules: [] })
}

/** Rows as the planner makes them: so many for each of so many clients, in one session after the other. */
async function owe(work: WorkTable, clients: number, each: number, endedAt: (n: number) => number): Promise<void> {
  for (let client = 0; client < clients; client++) {
    const lane = laneOf(OP, `rp-${client}`)
    const rows = Array.from({ length: each }, (_, n) => ({
      ...{ id: `${client}/${n}`, lane, dueAt: endedAt(n), since: endedAt(n) },
      body: { endedAt: endedAt(n), clientId: `rp-${client}` },
    }))
    for (let at = 0; at < rows.length; at += 1_000) await work.add(rows.slice(at, at + 1_000))
  }
}

function gaugesOf(work: WorkTable, health: Health = HEALTH, configured: readonly string[] = []): LogoutGauges {
  return new LogoutGauges({ issuer: OP, work, clock: new FakeClock(), configured, health: async () => health })
}

/** What is told of one client: its backlog, and its age. */
function shown(readings: readonly Reading[], client: string): (number | undefined)[] {
  const find = (name: string) =>
    of(readings, name).find(({ attributes }) => attributes?.['messaging.destination.name'] === client)?.value
  return [find('backlog'), find('backlog_age')]
}

function of(readings: readonly Reading[], name: string): Reading[] {
  return readings.filter(({ instrument }) => instrument.endsWith(`.${name}`))
}

describe('what gauges cost, and show', () => {
  describe('of the log', () => {
    it('are four reads, whatever is in it: its end, consumers, a commit that the first of them lacks, and what retention remembers', async () => {
      const database = await openDatabase('gauges')
      const store = await CountedStore.open(database, ephemeralKeys())
      try {
        const clock = new FakeClock()
        const retention = retentionOf(store.store, clock)
        for (const name of ['mine', 'yours']) await store.store.consumers.ensure(name, 0)
        for (const size of [1, 300]) {
          const append = (n: number) =>
            store.store.append({ events: [{ stream: `s:${n}`, type: 'happened', data: {} }] })
          await Promise.all(Array.from({ length: size }, (_, n) => append(n)))
          await store.quiet()
          const { commands, result } = await store.during(() => logGauges(store.store, retention, clock))
          assert.ok(commands.length <= 4, counted(commands))
          const end = await store.store.end()
          assert.deepEqual(result, [
            { instrument: 'oidc_provider_eventstore.log.end', value: end },
            ...['mine', 'yours'].map((name) => ({
              instrument: 'oidc_provider_eventstore.consumer.lag',
              value: end,
              attributes: { 'oidc_provider_eventstore.consumer': name },
            })),
          ])
        }
      } finally {
        await store.close()
        await database.drop()
      }
    })

    it('are a hundred consumers at most, and the age of the last walk of retention', async () => {
      const clock = new FakeClock()
      const store = new MemoryEventStore({ clock })
      const retention = retentionOf(store, clock)
      await store.append({ events: [{ stream: 'a:1', type: 'happened', data: {} }] })
      for (let n = 0; n < 150; n++) await store.consumers.ensure(`consumer-${n}`, 0)
      assert.deepEqual(of(await logGauges(store, retention, clock), 'walk_age'), [])
      await retention.run()
      await clock.advance(90_000)
      const readings = await logGauges(store, retention, clock)
      assert.equal(of(readings, 'lag').length, 100)
      assert.deepEqual(
        of(readings, 'walk_age').map(({ value }) => value),
        [90],
      )
      await store.close()
    })
  })

  describe('of logout', () => {
    for (const size of SIZES) {
      it(`are one read of the work table, without its rows, where 25 RPs are owed ${size} each`, async () => {
        const clock = new FakeClock()
        const store = new MemoryEventStore({ clock })
        const work = store.work('deliveries')
        const now = await work.time()
        await owe(work, 25, size, (n) => now - 60_000 - n)
        let looks = 0
        const { busiest } = work
        work.busiest = (options) => {
          looks += 1
          return busiest.call(work, options)
        }
        work.open = () => Promise.reject(new Error('rows are read'))
        const readings = await gaugesOf(work).read()
        assert.equal(looks, 1)
        assert.deepEqual(
          of(readings, 'backlog').map(({ value }) => value),
          Array(20).fill(size),
        )
        const ages = of(readings, 'backlog_age')
        assert.equal(ages.length, 20)
        for (const { value } of ages) assert.equal(value, (60_000 + size - 1) / 1_000)
        await store.close()
      })
    }

    it('are of the deployment’s own RPs and of those that were told of before, whatever others are owed', async () => {
      const clock = new FakeClock()
      const store = new MemoryEventStore({ clock })
      const work = store.work('deliveries')
      const gauges = gaugesOf(work, HEALTH, ['shop'])
      const owed = async (client: string, count: number): Promise<void> => {
        const at = await work.time()
        const rows = Array.from({ length: count }, (_, n) => ({
          id: `${client}/${n}`,
          lane: laneOf(OP, client),
          body: {},
        }))
        await work.add(rows.map((row) => ({ ...row, dueAt: at, since: at - 7_200_000 })))
      }
      await owed('shop', 3)
      await owed('stored', 3)
      assert.deepEqual(shown(await gauges.read(), 'shop'), [3, 7_200])
      for (let n = 0; n < 20; n++) await owed(`stranger-${n}`, 4)
      let looks = 0
      const { busiest } = work
      work.busiest = (options) => {
        looks += 1
        return busiest.call(work, options)
      }
      const readings = await gauges.read()
      assert.deepEqual([shown(readings, 'shop'), shown(readings, 'stored'), looks], [[3, 7_200], [3, 7_200], 2])
      for (const client of ['shop', 'stored'])
        for (const row of await work.claim({
          holder: 'h',
          prefix: laneOf(OP, client),
          now: await work.time(),
          limit: 9,
          perLane: 9,
        }))
          await work.finish(row, 0)
      const after = await gauges.read()
      assert.deepEqual(
        [shown(after, 'shop'), shown(after, 'stored')],
        [
          [0, 0],
          [0, 0],
        ],
      )
      await store.close()
    })

    it('are told without what is owed to whom where counting that takes too long, or fails with the store', async () => {
      const clock = new FakeClock()
      const store = new MemoryEventStore({ clock })
      const work = store.work('deliveries')
      await owe(work, 1, 3, () => 0)
      const gauges = new LogoutGauges({ issuer: OP, work, clock, configured: [], health: async () => HEALTH })
      assert.deepEqual(shown(await gauges.read(), 'rp-0')[0], 3)
      work.busiest = () => Promise.reject(new StoreUnavailableError('away'))
      const names = (readings: readonly Reading[]) => readings.map(({ instrument }) => instrument.split('.').at(-1))
      assert.deepEqual(names(await gauges.read()), ['circuits_open'])
      work.busiest = () => new Promise(() => {})
      const late = gauges.read()
      await clock.advance(2_000)
      assert.deepEqual(names(await late), ['circuits_open'])
      await store.close()
    })

    it('are what health says', async () => {
      const store = new MemoryEventStore()
      const health: Health = {
        ...HEALTH,
        deliveries: { open: 3, overdueMs: 4_500 },
        deadLetters: { count: 5, isExact: true },
        parked: { count: 2, isExact: true },
        openCircuits: ['one', 'two'],
      }
      const readings = await gaugesOf(store.work('deliveries'), health).read()
      assert.deepEqual(
        readings.map(({ instrument, value, attributes }) => [instrument.split('.').at(-1), value, attributes]),
        [
          ['overdue', 4.5],
          ['circuits_open', 2],
          ['dead_letters', 5],
          ['parked', 2],
        ].map((row) => [...row, { 'oidc_provider_eventstore.issuer': OP }]),
      )
      await store.close()
    })

    it('are none while the store does not answer: nothing is not the same as zero', async () => {
      const store = new MemoryEventStore()
      const health: Health = { isWell: false, store: { isReachable: false, error: 'away' }, isOn: true }
      assert.deepEqual(await gaugesOf(store.work('deliveries'), health).read(), [])
      await store.close()
    })

    it('leave out what health could not tell', async () => {
      const store = new MemoryEventStore()
      const readings = await gaugesOf(store.work('deliveries')).read()
      assert.deepEqual(
        readings.map(({ instrument }) => instrument),
        ['oidc_provider_eventstore.logout.circuits_open'],
      )
      await store.close()
    })
  })
})
