import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { present } from '../contract/event-store/expect.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { type Appending, append, appendAll, commitOf } from '../support/appending.ts'
import { bundledProgram } from '../support/bundled-program.ts'
import { assertLogSound } from '../support/invariants.ts'
import { mongoUri } from '../support/mongo-database.ts'
import { proxyInFrontOf } from '../support/mongo-proxy.ts'
import { onlyTickets, openProxiedLog, type ProxiedLog } from '../support/proxied-log.ts'
import { StoreProcess } from '../support/store-process.ts'
import type { TcpProxy } from '../support/tcp-proxy.ts'
import type { Delivered } from './mongodb-follower.ts'
import type { WriterOrders } from './mongodb-writer.ts'

const MONGODB_FOLLOWER = await bundledProgram(new URL('mongodb-follower.ts', import.meta.url))
const MONGODB_WRITER = await bundledProgram(new URL('mongodb-writer.ts', import.meta.url))

const STALL_MS = 3_000

describe('a writer that is stopped for three seconds while another process follows the log', () => {
  let log: ProxiedLog
  let proxy: TcpProxy
  let writer: StoreProcess | undefined
  let follower: StoreProcess
  const delivered: Delivered[] = []
  const answered: Appending[] = []

  beforeEach(async () => {
    log = await openProxiedLog()
    ;({ proxy } = await proxyInFrontOf(await mongoUri()))
    follower = new StoreProcess(MONGODB_FOLLOWER, [await mongoUri(), log.db.databaseName, JSON.stringify(log.keys)])
    delivered.length = 0
    answered.length = 0
    answered.push(await append(log.store, commitOf('before')))
    await deliveredUpTo(answered)
  })
  afterEach(async () => {
    await Promise.all([writer?.kill(), follower.kill()])
    await proxy.stop()
    await log.remove()
  })

  const deliveredUpTo = async (appends: readonly Appending[]): Promise<void> => {
    const missing = new Set(appends.flatMap(({ id }) => id ?? []))
    for (const { id } of delivered) missing.delete(id)
    while (missing.size > 0) {
      const next = present(await follower.next<Delivered>())
      delivered.push(next)
      missing.delete(next.id)
    }
  }

  const startWriter = (commits: number, lanes: number): StoreProcess => {
    const orders: WriterOrders = {
      ...{ uri: proxy.uri(), database: log.db.databaseName, keys: log.keys },
      ...{ name: 'stalled', commits, lanes },
    }
    writer = new StoreProcess(MONGODB_WRITER, [JSON.stringify(orders)])
    return writer
  }

  /** While the writer stands still: others append, and all of it is delivered before the writer goes on. */
  const othersGoOn = async (): Promise<void> => {
    const until = performance.now() + STALL_MS
    const others = await appendAll(
      log.store,
      range(20).map((n) => commitOf(`other ${n}`)),
      'one by one',
    )
    answered.push(...others)
    await deliveredUpTo(others)
    await sleep(Math.max(0, until - performance.now()))
  }

  const afterwards = async (): Promise<Appending[]> => {
    const told = (await present(writer).rest<Appending>()).filter(({ tag }) => tag !== undefined)
    answered.push(...told, await append(log.store, commitOf('after')))
    await deliveredUpTo(answered)
    await assertLogSound(log.db, { answered, subscribers: [{ after: 0, ids: delivered.map(({ id }) => id) }] })
    return told
  }

  it('gets new positions when it had taken some and not inserted: nothing is skipped, nothing there twice', async () => {
    const ticket = proxy.hold({ command: 'findAndModify' })
    startWriter(8, 8)
    await ticket.arrived
    writer?.signal('SIGSTOP')
    ticket.release() // the server gives the positions; nobody is there to use them
    while ((await counter()) === (await log.store.end())) await sleep(5)
    const end = await counter()
    await othersGoOn()
    writer?.signal('SIGCONT')
    const told = await afterwards()
    assert.equal(told.length, 8)
    for (const { position } of told) assert.ok(Number(position) > end, `${position} is not a new position`)
  })

  it('gets new positions when its insert comes three seconds late', async () => {
    onlyTickets(proxy, log.db.databaseName)
    const insert = proxy.hold({ command: 'insert', where: ({ insert: collection }) => collection === 'events' })
    startWriter(8, 8)
    await insert.arrived
    writer?.signal('SIGSTOP')
    const end = await counter()
    await othersGoOn()
    insert.release()
    writer?.signal('SIGCONT')
    const told = await afterwards()
    assert.equal(told.length, 8)
    for (const { position } of told) assert.ok(Number(position) > end, `${position} is not a new position`)
  })

  it('gets new positions on the quiet path, whose counter has moved meanwhile', async () => {
    const quiet = proxy.hold({ command: 'bulkWrite', where: intoEvents })
    startWriter(8, 2) // the first two by a ticket, the next two quietly
    await quiet.arrived
    writer?.signal('SIGSTOP')
    await othersGoOn()
    const end = await log.store.end()
    quiet.release()
    writer?.signal('SIGCONT')
    const told = await afterwards()
    assert.equal(told.length, 8)
    for (const { position } of told.slice(2)) assert.ok(Number(position) > end, `${position} is not a new position`)
  })

  it('is acknowledged on the quiet path where its commits lie, when only the answer comes late or never', async () => {
    const lost = proxy.cutAfter({ command: 'bulkWrite', where: intoEvents })
    startWriter(8, 2)
    await lost.happened
    writer?.signal('SIGSTOP')
    await othersGoOn()
    writer?.signal('SIGCONT')
    assert.equal((await afterwards()).length, 8)
  })

  async function counter(): Promise<number> {
    const found = await log.db.collection<{ _id: string; n: number }>('counters').findOne({ _id: 'events' })
    return Number(found?.n)
  }
})

function intoEvents({ nsInfo }: { nsInfo?: { ns: string }[] }): boolean {
  return nsInfo?.some(({ ns }) => ns.endsWith('.events')) ?? false
}
