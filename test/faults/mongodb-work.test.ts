import assert from 'node:assert/strict'
import type { Document } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { StoreUnavailableError } from '../../lib/errors.ts'
import type { Work, WorkTable } from '../../lib/log/work-table.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { openProxiedLog, type ProxiedLog } from '../support/proxied-log.ts'

const NOW = 1_000
const PROCESS = 'a process that lives on'

describe('work that is claimed while the network fails', () => {
  let log: ProxiedLog
  let table: WorkTable

  beforeEach(async () => {
    log = await openProxiedLog({ client: { retryWrites: false, retryReads: false } })
    table = log.store.work('jobs')
    await table.add(range(6).map((n) => ({ id: `${n}`, lane: `rp-${n % 2}`, dueAt: n, body: {} })))
  })
  afterEach(() => log.remove())

  const claim = (limit: number): Promise<Work[]> => table.claim({ holder: PROCESS, now: NOW, limit, perLane: 10 })
  const isAbout = (collection: string) => (request: Document) =>
    [request['find'], request['update'], request['findAndModify'], request['aggregate']].includes(collection)

  /** All that can be claimed from now on, by a process that asks again where it was refused. */
  async function claimAll(): Promise<string[]> {
    const ids: string[] = []
    for (let refused = 0; ids.length < 6 && refused < 5; ) {
      try {
        const work = await claim(4)
        if (work.length === 0) refused += 1
        ids.push(...work.map(({ id }) => id))
      } catch (error) {
        assert.ok(error instanceof StoreUnavailableError)
        refused += 1
      }
    }
    return ids.sort()
  }

  const ALL = range(6).map(String)

  it('is given back though its taking is carried out when it has long been given up', async () => {
    const clock = new FakeClock()
    const store = await MongoEventStore.open(log.proxiedDb, { keys: log.keys, clock })
    table = store.work('jobs')
    const late = log.proxy.hold({ command: 'update', where: isAbout('jobs') })
    const givenUp = assert.rejects(claim(4), StoreUnavailableError)
    await late.arrived
    await clock.advance(10_000)
    await givenUp
    await claim(0) // what it took is given back: nothing
    late.release()
    const held = { holder: PROCESS }
    while ((await log.db.collection('jobs').countDocuments(held)) < 4) await new Promise(setImmediate)
    await clock.advance(5_000)
    assert.deepEqual(await claimAll(), ALL)
    await store.close()
  })

  it('is given back where only what is overdue is claimed, as while the feature is off', async () => {
    await table.add([{ id: 'old', lane: 'rp-0', dueAt: 0, deadline: 1, body: {} }])
    const overdue = (): Promise<Work[]> => table.claimOverdue({ holder: PROCESS, now: NOW, limit: 10 })
    const cut = log.proxy.cutAfter({ command: 'findAndModify', where: isAbout('jobs') })
    await assert.rejects(overdue(), StoreUnavailableError)
    assert.equal(cut.count, 1)
    assert.deepEqual(
      (await overdue()).map(({ id }) => id),
      ['old'],
    )
  })

  it('is found that its holder put back, and died, while another process looked into its lane', async () => {
    const look = { holder: PROCESS, now: NOW + 20_000, limit: 4, perLane: 10, prefix: 'alone' }
    await table.add([{ id: 'one', lane: 'alone', dueAt: 0, body: {} }])
    assert.equal((await table.claim({ ...look, holder: 'who dies', now: NOW })).length, 1)
    const looking = log.proxy.hold({
      command: 'find',
      where: ({ find, filter }) => find === 'jobs' && filter['state'] === 'held',
    })
    const claiming = table.claim(look)
    await looking.arrived // what waits it has read by now
    const row = log.db.collection<Document & { _id: string }>('jobs')
    await row.updateOne({ _id: 'one' }, { $set: { state: 'waiting' }, $unset: { holder: 1, claim: 1 } })
    looking.release()
    const found = [...(await claiming), ...(await table.claim(look))]
    assert.deepEqual(
      found.map(({ id }) => id),
      ['one'],
    )
  })

  for (const when of ['before', 'after'] as const) {
    for (const [what, command, collection] of [
      ['the taking', 'update', 'jobs'],
      ['the look at what was taken', 'find', 'jobs'],
      ['the lanes that were served', 'update', 'jobs_lanes'],
    ] as const) {
      it(`is never held by somebody who does not know of it: ${what} is cut off ${when} the server has it`, async () => {
        const which = { command, where: isAbout(collection), times: 3 }
        const cut = when === 'before' ? log.proxy.dropBefore(which) : log.proxy.cutAfter(which)
        assert.deepEqual(await claimAll(), ALL)
        assert.equal(cut.count, 3)
      })
    }
  }
})
