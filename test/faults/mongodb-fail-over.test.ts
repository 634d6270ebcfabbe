import assert from 'node:assert/strict'
import { MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { Consumer, silent } from '../../lib/index.ts'
import type { EventStore } from '../../lib/log/event-store.ts'
import type { WorkTable } from '../../lib/log/work-table.ts'
import { ephemeralKeys } from '../../lib/secrets/key-ring.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { type Appending, append, commitOf } from '../support/appending.ts'
import { bundledProgram } from '../support/bundled-program.ts'
import { type FailOverRates, FailOvers } from '../support/fail-overs.ts'
import { assertLogSound } from '../support/invariants.ts'
import { type OpenedDatabase, openDatabase } from '../support/mongo-database.ts'
import { proxyInFrontOf } from '../support/mongo-proxy.ts'
import { patiently } from '../support/patient-store.ts'
import { IMPATIENT } from '../support/proxied-log.ts'
import { StoreProcess } from '../support/store-process.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import type { Opened, WriterOrders } from './mongodb-writer.ts'

const MONGODB_WRITER = await bundledProgram(new URL('mongodb-writer.ts', import.meta.url))

const WRITERS = 2
/** Of each writer. */
const COMMITS = Number(process.env['COMMITS'] ?? 200)
const TO_HANDLE = 200

const RATES: FailOverRates = { deposed: 0.02, unconfirmed: 0.02, rolledBack: 0.02, cursorLost: 0.2 }

/** A network of its own to the server, on which the primary is deposed again and again. */
interface Network {
  readonly proxy: TcpProxy
  readonly failOvers: FailOvers
}

describe('a replica set whose primary is deposed again and again', () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
  const keys = ephemeralKeys()
  let database: OpenedDatabase
  let networks: Network[]
  let clients: MongoClient[]
  const writers: StoreProcess[] = []

  beforeEach(async () => {
    database = await openDatabase('fail_over')
    networks = []
    clients = []
  })
  afterEach(async () => {
    await Promise.all(writers.splice(0).map((writer) => writer.kill()))
    await Promise.all(clients.map((client) => client.close()))
    await Promise.all(networks.map(({ proxy }) => proxy.stop()))
    await database.drop()
  })

  async function network(): Promise<Network> {
    const { proxy } = await proxyInFrontOf(database.uri)
    const failOvers = new FailOvers(proxy, seed + networks.length)
    networks.push({ proxy, failOvers })
    return { proxy, failOvers }
  }

  async function openStore(): Promise<MongoEventStore> {
    const { failOvers } = await network()
    const client = new MongoClient(failOvers.uri, IMPATIENT)
    clients.push(client)
    return MongoEventStore.open(client.db(database.name), { keys, logger: silent })
  }

  function begin(rates: FailOverRates): void {
    for (const { failOvers } of networks) failOvers.begin(rates)
  }

  /** Ends the faults. @returns how often each has happened */
  function end(): Record<string, number> {
    const sums: Record<string, number> = {}
    for (const { failOvers } of networks) {
      failOvers.end()
      for (const [kind, count] of Object.entries(failOvers.counts)) sums[kind] = (sums[kind] ?? 0) + count
    }
    return sums
  }

  it(`keeps each acknowledged append of ${WRITERS} processes at one position, and each reader in their order (SEED=${seed}; more: COMMITS=5000)`, async () => {
    const reading = await openStore()
    const follower = new Follower(reading, 0)
    const answers: Appending[] = []
    let opened = 0
    const listen = async (writer: StoreProcess): Promise<void> => {
      for (let told = await writer.next<Appending | Opened>(); told; told = await writer.next<Appending | Opened>()) {
        if (!('opened' in told)) answers.push(told)
        else if (++opened === WRITERS) begin(RATES)
      }
    }
    for (const name of range(WRITERS).map(String)) {
      const { failOvers } = await network()
      const orders = { uri: failOvers.uri, database: database.name, keys, name, commits: COMMITS, lanes: 16 }
      writers.push(new StoreProcess(MONGODB_WRITER, [JSON.stringify(orders satisfies WriterOrders)]))
    }
    await Promise.all(writers.map(listen))
    const happened = end()
    const answered = answers.filter(({ code }) => code !== 'OUTCOME_UNKNOWN')
    const acknowledged = answers.flatMap(({ id }) => id ?? [])
    await assertLogSound(database.db, { answered }) // before anybody waits for what may not be there
    const late = new Follower(reading, 0)
    await Promise.all([follower, late].map((each) => each.saw(acknowledged)))
    await Promise.all([follower, late].map((each) => each.stop()))
    const subscribers = [follower, late].map(({ ids }) => ({ after: 0, ids }))
    await assertLogSound(database.db, { answered, subscribers })
    await reading.close()
    const { setName } = await database.db.command({ hello: 1 })
    if (setName === undefined) delete happened['cursorLost'] // a server alone has no change stream to read on
    for (const [fault, times] of Object.entries(happened)) assert.ok(times > 0, `${fault} never happened`)
    const codes = new Set(answers.map(({ code }) => code))
    for (const code of codes) assert.ok([undefined, 'ALREADY_CLAIMED', 'STORE_UNAVAILABLE'].includes(code), code)
    assert.ok(codes.has('ALREADY_CLAIMED') && acknowledged.length > (WRITERS * COMMITS) / 2)
  })

  it(`hands each commit to its consumer in order, and each row of work to one holder at a time (SEED=${seed})`, async () => {
    const stores = await Promise.all(range(3).map(openStore))
    begin(RATES)
    const order: number[] = []
    const consumers = stores.map((store) => planner(store, order))
    await Promise.all(consumers.map((consumer) => patiently(() => consumer.start(0))))
    const isOver = async (): Promise<boolean> =>
      (await database.db.collection('jobs').countDocuments({ state: 'done' })) === TO_HANDLE
    const ledger = new Ledger()
    const working = Promise.all(
      stores.map((store, index) => ledger.workAt(store.work('jobs'), `worker ${index}`, isOver)),
    )
    const positions: number[] = []
    while (positions.length < TO_HANDLE) {
      const some = range(Math.min(20, TO_HANDLE - positions.length)).map(() =>
        append(stores[0] as EventStore, commitOf('a')),
      )
      positions.push(...(await Promise.all(some)).flatMap(({ position }) => position ?? []))
    }
    await working
    const happened = end()
    await Promise.all(consumers.map((consumer) => consumer.stop()))
    for (const [index, position] of order.entries()) {
      const before = new Set(order.slice(0, index))
      const missing = positions.find((each) => each < position && !before.has(each))
      assert.equal(missing, undefined, `${position} was handled before ${missing}`)
    }
    assert.deepEqual(
      [...new Set(order)].sort((a, b) => a - b),
      positions.sort((a, b) => a - b),
    )
    assert.equal((await stores[0]?.consumers.get('planner'))?.position, positions.at(-1))
    assert.equal(ledger.finished.size, TO_HANDLE)
    assert.ok(happened['deposed'] && happened['unconfirmed'] && happened['rolledBack'])
    await Promise.all(stores.map((store) => store.close()))
  })
})

/** Makes a row of work of each commit, and notes which it has made. */
function planner(store: EventStore, order: number[]): Consumer {
  return new Consumer({
    ...{ store, name: 'planner', leaseMs: 1_000, logger: silent },
    async handle(commits) {
      const rows = commits.map(({ position }) => ({
        id: `${position}`,
        lane: `rp-${position % 3}`,
        dueAt: 0,
        body: {},
      }))
      await store.work('jobs').add(rows)
      order.push(...commits.map(({ position }) => position))
    },
  })
}

/** Who was given which work, and who finished it. */
class Ledger {
  readonly finished = new Set<string>()
  readonly #given = new Set<string>()

  async workAt(table: WorkTable, holder: string, isOver: () => Promise<boolean>): Promise<void> {
    while (!(await isOver())) {
      for (const work of await patiently(() => table.claim({ holder, now: 1, limit: 8, perLane: 4 }))) {
        assert.ok(!this.finished.has(work.id), `${work.id} was given to ${holder} when it was done`)
        assert.ok(!this.#given.has(`${work.id} ${work.fence}`), `${work.id} was given twice`)
        this.#given.add(`${work.id} ${work.fence}`)
        const isMine = await patiently(() => table.finish(work, 2))
        assert.ok(isMine, `${work.id} was taken away from ${holder}, who lives`)
        assert.ok(!this.finished.has(work.id), `${work.id} was finished twice`)
        this.finished.add(work.id)
      }
    }
  }
}
