import assert from 'node:assert/strict'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { StoreUnavailableError } from '../../lib/index.ts'
import { replay } from '../../plugins/back-channel-logout/dead-letters/replay.ts'
import { ParkedCommits } from '../../plugins/back-channel-logout/delivery/parked-commits.ts'
import { PLANNER } from '../../plugins/back-channel-logout/delivery/planner.ts'
import { type Health, type HealthParts, healthOf } from '../../plugins/back-channel-logout/health.ts'
import { deadLettersStream } from '../../plugins/back-channel-logout/recording/index-streams.ts'
import { toEvent } from '../../plugins/back-channel-logout/recording/session-logout-events.ts'
import { laneOf } from '../../plugins/back-channel-logout/work/lanes.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { OP } from '../support/planning.ts'
import { countReads } from '../support/reads.ts'
import { registered, rejected, terminated } from '../support/session-log.ts'

describe('the health of back-channel logout', () => {
  let clock: FakeClock
  let store: MemoryEventStore
  let parked: ParkedCommits
  let failure: Error | undefined
  let circuits: readonly string[]
  let paused: ReadonlySet<string>

  beforeEach(async () => {
    circuits = []
    paused = new Set()
    clock = new FakeClock()
    store = new MemoryEventStore({ clock })
    parked = new ParkedCommits({ store, issuer: OP, plan: async () => {} })
    failure = undefined
    await store.consumers.ensure(PLANNER, 0)
  })

  afterEach(() => store.close())

  const parts = (): HealthParts => ({
    store,
    clock,
    issuer: OP,
    work: store.work('deliveries'),
    parked,
    isOn: () => true,
    paused: () => paused,
    openCircuits: () => circuits,
    plannerFailure: () => failure,
  })
  const health = (): Promise<Health> => healthOf(parts())

  /** The planner has handled all that there is. */
  async function planned(): Promise<void> {
    const seen = await store.consumers.get(PLANNER)
    assert.ok(seen)
    const taken = await store.consumers.take(seen, 'planner')
    await store.consumers.checkpoint(PLANNER, Number(taken?.token), await store.end())
    await store.consumers.release(PLANNER, Number(taken?.token))
  }

  async function owe(id: string, dueAt: number, issuer = OP, clientId = 'rp'): Promise<void> {
    await store.work('deliveries').add([{ id, lane: laneOf(issuer, clientId), dueAt, body: {} }])
  }

  it('is good where nothing is owed', async () => {
    assert.deepEqual(await health(), {
      isWell: true,
      store: { isReachable: true },
      isOn: true,
      planner: { behind: 0, behindMs: 0 },
      deliveries: { open: 0, overdueMs: 0 },
      deadLetters: { count: 0, isExact: true },
      parked: { count: 0, isExact: true },
      openCircuits: [],
    })
  })

  it('tells how far the planner is behind, and since when', async () => {
    for (const uid of ['a', 'b', 'c']) {
      await store.append({ events: [toEvent(uid, terminated())] })
      clock.jumpWall(20_000)
    }
    const { planner, isWell } = await health()
    assert.deepEqual([planner, isWell], [{ behind: 3, behindMs: 60_000 }, false])
    await planned()
    assert.deepEqual((await health()).planner, { behind: 0, behindMs: 0 })
  })

  it('tells no time below none, though its clock is behind the one that wrote', async () => {
    await store.append({ events: [toEvent('a', terminated())] })
    await owe('1/0.0', clock.now() + 5_000)
    clock.jumpWall(-20_000)
    const { planner, deliveries } = await health()
    assert.deepEqual([planner?.behindMs, deliveries?.overdueMs], [0, 0])
  })

  it('is still good while the planner is less than a minute behind', async () => {
    await store.append({ events: [toEvent('a', terminated())] })
    clock.jumpWall(59_999)
    assert.equal((await health()).isWell, true)
  })

  it('tells why the planner has stopped', async () => {
    failure = new Error('it failed again and again')
    const { planner, isWell } = await health()
    assert.deepEqual([planner?.stopped, isWell], ['it failed again and again', false])
  })

  it('tells how much this issuer owes, and for how long the oldest of it is due', async () => {
    await owe('1/0.0', clock.now() + 5_000)
    await owe('2/0.0', clock.now() - 7_000)
    await owe('3/0.0', clock.now() - 9_000, 'https://other.example.com')
    assert.deepEqual((await health()).deliveries, { open: 2, overdueMs: 7_000 })
  })

  it('takes nobody for late who is owed something by an RP that is paused, or left alone since it fails', async () => {
    await owe('1/0.0', clock.now() - 7_200_000, OP, 'dead')
    await owe('2/0.0', clock.now() - 3_600_000, OP, 'paused')
    await owe('3/0.0', clock.now() - 2_000, OP, 'well')
    assert.equal((await health()).deliveries?.overdueMs, 7_200_000)
    circuits = ['dead']
    assert.equal((await health()).deliveries?.overdueMs, 3_600_000)
    paused = new Set(['paused'])
    assert.deepEqual((await health()).deliveries, { open: 3, overdueMs: 2_000 })
    paused = new Set(['paused', 'well'])
    assert.equal((await health()).deliveries?.overdueMs, 0)
  })

  it('says how late the others are where an operator has made something due at once', async () => {
    await owe('1/0.0', 0)
    await owe('2/0.0', clock.now() - 7_000, OP, 'well')
    assert.deepEqual((await health()).deliveries, { open: 2, overdueMs: 7_000 })
  })

  it('does not say since when what an operator has made due at once is', async () => {
    await owe('1/0.0', 0)
    assert.deepEqual((await health()).deliveries, { open: 1 })
  })

  it('counts dead letters at the cost of a hundred, however many there are', async () => {
    for (let n = 0; n < 120; n++) {
      const events = [toEvent(`s${n}`, registered('rp', 'sid')), toEvent(`s${n}`, terminated())]
      const { position } = await store.append({ events })
      const death = toEvent(`s${n}`, rejected(`${position}/1.0`), [deadLettersStream(OP)])
      await store.append({ events: [death] })
      if (n === 98) assert.deepEqual((await health()).deadLetters, { count: 99, isExact: true })
    }
    const reads = countReads(store)
    assert.deepEqual((await health()).deadLetters, { count: 100, isExact: false })
    assert.deepEqual(
      reads.map(({ length }) => length),
      [100],
    )
  })

  it('counts dead letters that were replayed no more', async () => {
    for (const uid of ['a', 'b']) {
      const { position } = await store.append({
        events: [toEvent(uid, registered('rp', 'sid')), toEvent(uid, terminated())],
      })
      await store.append({ events: [toEvent(uid, rejected(`${position}/1.0`), [deadLettersStream(OP)])] })
      if (uid === 'a') await replay({ store, issuer: OP }, { since: 0 }, { actor: 'ann' })
    }
    const { deadLetters } = await health()
    assert.deepEqual(deadLetters, { count: 1, isExact: true })
  })

  it('is not good while a commit is parked', async () => {
    await parked.park({ position: 1 }, new Error('no'))
    await planned()
    const { isWell, ...found } = await health()
    assert.deepEqual([isWell, found.parked], [false, { count: 1, isExact: true }])
  })

  it('counts at most a hundred parked commits', async () => {
    for (let position = 1; position <= 99; position++) await parked.park({ position }, new Error('no'))
    assert.deepEqual((await health()).parked, { count: 99, isExact: true })
    await parked.park({ position: 100 }, new Error('no'))
    assert.deepEqual((await health()).parked, { count: 100, isExact: false })
  })

  it('says that the store does not answer, and why', async () => {
    store.end = async () => {
      throw new StoreUnavailableError('the database is away')
    }
    assert.deepEqual(await health(), {
      isWell: false,
      store: { isReachable: false, error: 'the database is away' },
      isOn: true,
    })
  })

  it('lacks the count of what is owed where that is too much to be counted in time', async () => {
    const work = store.work('deliveries')
    const { countOpen } = work
    work.countOpen = () => new Promise(() => {})
    const asked = health()
    await clock.advance(2_000)
    const { isWell, deliveries } = await asked
    assert.deepEqual([isWell, deliveries], [true, { overdueMs: 0 }])
    work.countOpen = countOpen
  })

  it('does not wait for a store that hangs', async () => {
    store.end = () => new Promise(() => {})
    const asked = health()
    await clock.advance(5_000)
    assert.equal((await asked).store.error, 'no answer within 5000 ms')
  })
})
