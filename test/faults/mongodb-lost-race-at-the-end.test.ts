import assert from 'node:assert/strict'
import type { Document } from 'mongodb'
import { AlreadyClaimedError, type EventStore, ephemeralKeys, removeConsumer, systemClock } from '../../lib/index.ts'
import { logGauges } from '../../lib/telemetry/log-gauges.ts'
import { ParkedCommits } from '../../plugins/back-channel-logout/delivery/parked-commits.ts'
import { PLANNER } from '../../plugins/back-channel-logout/delivery/planner.ts'
import { healthOf } from '../../plugins/back-channel-logout/health.ts'
import { untilPlanned } from '../../plugins/back-channel-logout/receipts/planned.ts'
import { checkpointsOf } from '../../plugins/command-line/commands/checkpoints.ts'
import { CountedStore, counted } from '../support/counted-store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { type OpenedDatabase, openDatabase } from '../support/mongo-database.ts'

const OP = 'https://op.example.com'
const LAG = 'oidc_provider_eventstore.consumer.lag'

/** Whoever loses a race leaves a tombstone, and no checkpoint passes one before the next commit. */
describe('a log on MongoDB that ends with a lost race', () => {
  let database: OpenedDatabase
  let log: CountedStore
  let store: EventStore

  beforeEach(async () => {
    database = await openDatabase('lost_race')
    log = await CountedStore.open(database, ephemeralKeys())
    store = log.store
    await spend()
    const { position } = await store.consumers.ensure(PLANNER, await store.end())
    assert.equal(position, await store.end())
    await lose(1)
    assert.ok((await store.end()) > position, 'it ends with a tombstone')
  })

  afterEach(async () => {
    await log.close()
    await database.drop()
  })

  /** Of one stream each, so that none waits for the others. */
  const spend = (stream = 'code') =>
    store.append({ events: [{ stream, type: 'spent', data: {} }], claims: [{ kind: 'once', mark: 'code' }] })
  const lose = async (times: number): Promise<void> => {
    await Promise.all(Array.from({ length: times }, (_, n) => assert.rejects(spend(`code-${n}`), AlreadyClaimedError)))
  }
  const commit = () => store.append({ events: [{ stream: 'other', type: 'happened', data: {} }] })

  const health = () =>
    healthOf({
      store,
      clock: systemClock,
      issuer: OP,
      work: store.work('deliveries'),
      parked: new ParkedCommits({ store, issuer: OP, plan: async () => {} }),
      isOn: () => true,
      paused: () => new Set(),
      openCircuits: () => [],
      plannerFailure: () => undefined,
    })

  /** What says how far the planner is behind says this. */
  async function told(): Promise<Record<string, number | undefined>> {
    const { planner } = await health()
    const gauges = await logGauges(store, { walkedAt: async () => undefined }, systemClock)
    const [checkpoint] = await checkpointsOf(store)
    const removed = await removeConsumer({ store, clock: systemClock }, PLANNER, { dryRun: true })
    return {
      health: planner?.behind,
      gauge: gauges.find(({ instrument }) => instrument === LAG)?.value,
      checkpoints: checkpoint?.behind,
      removal: removed.behind,
    }
  }

  it('leaves nobody behind', async () => {
    assert.deepEqual(await told(), { health: 0, gauge: 0, checkpoints: 0, removal: 0 })
    await commit()
    assert.deepEqual(await told(), { health: 2, gauge: 2, checkpoints: 2, removal: 2 })
  })

  it('is planned: an account that is forgotten then waits for nothing', async () => {
    const clock = new FakeClock() // it never moves
    await untilPlanned({ store, clock })
    await commit()
    const planned = untilPlanned({ store, clock })
    await clock.scheduled()
    const record = await store.consumers.ensure(PLANNER, 0)
    const { token = 0 } = (await store.consumers.take(record, 'a planner')) ?? {}
    assert.ok(await store.consumers.checkpoint(PLANNER, token, await store.end()))
    await clock.advance(1_000)
    await planned
  })

  it('and then with a forged commit: that is what health says, and not that the store is away', async () => {
    const events = database.db.collection<Document & { _id: number }>('events')
    const genuine = await events.findOne({ s: 'code' })
    const forged = (await store.end()) + 1
    await events.insertOne({ ...genuine, _id: forged, c: 'forged', k: ['forged'] })
    const { isWell, store: away, forged: found, planner } = await health()
    assert.deepEqual([isWell, away, found], [false, { isReachable: true }, { commits: 1, first: forged }])
    assert.deepEqual(planner, { behind: 2, behindMs: 0 })
    assert.deepEqual(await told(), { health: 2, gauge: 2, checkpoints: 2, removal: 2 })
  })

  it('is read past many of them with few commands', async () => {
    await lose(500)
    const end = await store.end()
    const { result, commands } = await log.during(() => store.readAll({ after: 1, limit: 1 }))
    assert.deepEqual(result, [])
    assert.ok(end > 500 && commands.length <= 12, `${end} positions: ${counted(commands)}`)
    const { position } = await commit()
    assert.deepEqual(
      (await store.readAll({ after: 1, limit: 1 })).map((found) => found.position),
      [position],
    )
  })
})
