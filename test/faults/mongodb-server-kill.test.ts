import assert from 'node:assert/strict'
import { MongoClient } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { ephemeralKeys } from '../../lib/secrets/key-ring.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import type { Appending } from '../support/appending.ts'
import { bundledProgram } from '../support/bundled-program.ts'
import { assertLogSound } from '../support/invariants.ts'
import { type MongoServer, startServer } from '../support/mongo-server.ts'
import { IMPATIENT } from '../support/proxied-log.ts'
import { seededRandom } from '../support/seeded-random.ts'
import { StoreProcess } from '../support/store-process.ts'
import type { Opened, WriterOrders } from './mongodb-writer.ts'

const MONGODB_WRITER = await bundledProgram(new URL('mongodb-writer.ts', import.meta.url))

const KILLS = 5
const WRITERS = ['one', 'two']
const UNTIL_TOLD = 1_000_000
/** An append of a killed process has no answer, and nobody can say what should have become of it. */
const OPEN_ENDED: ReadonlySet<string | undefined> = new Set(['OUTCOME_UNKNOWN'])

describe('a MongoDB server that is killed with SIGKILL and restarted', () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
  const keys = ephemeralKeys()
  let server: MongoServer
  let client: MongoClient
  const writers: StoreProcess[] = []

  beforeEach('start a server whose acknowledgements survive', async () => {
    server = await startServer({ durable: true })
    client = new MongoClient(server.uri, IMPATIENT)
  })
  afterEach(async () => {
    await Promise.all(writers.splice(0).map((process) => process.kill()))
    await client.close()
    await server.stop()
  })

  const writer = (name: string, commits: number): StoreProcess => {
    const orders: WriterOrders = { uri: server.uri, database: 'op', keys, name, commits, lanes: 4 }
    const process = new StoreProcess(MONGODB_WRITER, [JSON.stringify(orders)])
    writers.push(process)
    return process
  }

  /** Collects what a writer tells until it ends; calls `each` at every line. */
  const listen = async (
    process: StoreProcess,
    answers: Appending[],
    each: (told: Appending | Opened) => void,
  ): Promise<void> => {
    for (let told = await process.next<Appending | Opened>(); told; told = await process.next<Appending | Opened>()) {
      if (!('opened' in told)) answers.push(told)
      each(told)
    }
  }

  const check = async (answers: readonly Appending[], followers: readonly Follower[]): Promise<void> => {
    const answered = answers.filter(({ code }) => !OPEN_ENDED.has(code))
    const acknowledged = answers.flatMap(({ id }) => id ?? [])
    await Promise.all(followers.map((follower) => follower.saw(acknowledged)))
    await Promise.all(followers.map((follower) => follower.stop()))
    const subscribers = followers.map(({ ids }) => ({ after: 0, ids }))
    await assertLogSound(client.db('op'), { answered, subscribers })
  }

  it(`keeps each acknowledged append of two processes once, through ${KILLS} kills (SEED=${seed})`, async () => {
    const random = seededRandom(seed)
    const store = await MongoEventStore.open(client.db('op'), { keys })
    const follower = new Follower(store, 0)
    const answers: Appending[] = []
    const afterSome = (): number => answers.length + 20 + Math.floor(random() * 200)
    let kills = 0
    let next = afterSome()
    let killing: Promise<void> | undefined
    let opened = 0
    const killWhenDue = (told: Appending | Opened): void => {
      if ('opened' in told) opened += 1
      // Who opens a log while the server is away is told so and ends, and the other one would go on alone.
      if (opened < WRITERS.length || killing || answers.length < next) return
      // Both have written when one of them wants a mark that the other has.
      if (kills === KILLS && answers.some(({ code }) => code === 'ALREADY_CLAIMED'))
        for (const process of writers) process.signal('SIGTERM')
      else if (kills < KILLS) killing = killAndRestart()
    }
    const killAndRestart = async (): Promise<void> => {
      await server.kill('SIGKILL')
      await server.restart()
      kills += 1
      next = afterSome()
      killing = undefined
    }
    await Promise.all(WRITERS.map((name) => listen(writer(name, UNTIL_TOLD), answers, killWhenDue)))
    assert.equal(kills, KILLS)
    const late = new Follower(store, 0)
    await check(answers, [follower, late])
    const codes = new Set(answers.map(({ code }) => code))
    assert.ok(codes.has('ALREADY_CLAIMED'))
    for (const code of codes)
      assert.ok([undefined, 'ALREADY_CLAIMED', 'OUTCOME_UNKNOWN', 'STORE_UNAVAILABLE'].includes(code), code)
    assert.ok(answers.filter(({ position }) => position !== undefined).length > 20 * KILLS)
    await store.close()
  })

  it('and writers that are killed too leave a log without a gap', async () => {
    const store = await MongoEventStore.open(client.db('op'), { keys })
    const follower = new Follower(store, 0)
    const answers: Appending[] = []
    for (const round of range(3)) {
      const process = writer(`round ${round}`, 10_000)
      let told = 0
      await listen(process, answers, () => {
        told += 1
        if (told === 100 + 37 * round) void process.kill()
        if (told === 60 && round === 1) void server.kill('SIGKILL').then(() => server.restart())
      })
    }
    await check(answers, [follower])
    await store.close()
  })
})
