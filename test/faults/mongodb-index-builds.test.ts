import assert from 'node:assert/strict'
import type { Document } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { prepareLog } from '../../adapters/mongodb/prepare-log.ts'
import { type Clock, silent } from '../../lib/index.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { command } from '../support/command.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { mongoUri } from '../support/mongo-database.ts'
import { openProxiedLog, type ProxiedLog } from '../support/proxied-log.ts'

describe('opening the log while an index of it is being built', () => {
  let log: ProxiedLog
  beforeEach(async () => {
    log = await openProxiedLog()
  })
  afterEach(() => log.remove())

  const open = (clock?: Clock): Promise<MongoEventStore> =>
    MongoEventStore.open(log.proxiedDb, { keys: log.keys, logger: silent, ...(clock && { clock }) })

  /** Drops an index of `events`; the server goes on to list it, as it does from the moment when a build begins. */
  const buildSlowly = async (name: string, times: number): Promise<Document> => {
    const { cursor: listed } = await log.db.command({ listIndexes: 'events', cursor: {} })
    const { v: _version, ...index } = listed.firstBatch.find((each: Document) => each['name'] === name)
    await log.db.collection('events').dropIndex(name)
    log.proxy.answer(
      { command: 'listIndexes', where: ({ listIndexes }) => listIndexes === 'events', times },
      'after',
      (_, { cursor, ...reply }) => ({ ...reply, cursor: { ...cursor, firstBatch: listed.firstBatch } }),
    )
    return index
  }

  for (const name of ['claims', 'streams']) {
    it(`is STORE_UNAVAILABLE as long as "${name}" is listed and not complete, and fine from then on`, async () => {
      const index = await buildSlowly(name, 3)
      for (let tries = 0; tries < 2; tries++) {
        const { message } = await rejectsWith('STORE_UNAVAILABLE', open)
        assert.match(message, new RegExp(`the index "${name}" is still being built on [^ ]*events: wait`))
      }
      await log.db.command({ createIndexes: 'events', indexes: [index] })
      await (await open()).close()
    })
  }

  it('is STORE_UNAVAILABLE, which names the index, when it has waited nine seconds for one', async () => {
    await log.db.collection('deliveries').dropIndex('holder_1')
    const clock = new FakeClock()
    const held = log.proxy.hold({ command: 'createIndexes' })
    const opening = rejectsWith('STORE_UNAVAILABLE', () => open(clock))
    await held.arrived
    await clock.advance(9_000)
    const { message } = await opening
    assert.match(message, /the index "holder_1" is still being built on [^ ]*deliveries: wait .*-eventstore prepare`/)
    held.release()
  })

  it('is waited for by who prepares the database, for hours, and not for ever', async () => {
    const prepare = (clock: Clock): Promise<void> => prepareLog(log.proxiedDb, { keys: log.keys, clock })
    for (const isDone of [true, false]) {
      await log.db.collection('deliveries').dropIndex('holder_1')
      const clock = new FakeClock()
      const held = log.proxy.hold({ command: 'createIndexes' })
      const preparing = isDone ? prepare(clock) : rejectsWith('STORE_UNAVAILABLE', () => prepare(clock))
      await held.arrived
      await clock.advance(3 * 3_600_000)
      if (!isDone) await clock.advance(24 * 3_600_000)
      else held.release()
      await preparing
      held.release()
      if (isDone) assert.ok(await log.db.collection('deliveries').indexExists('holder_1'))
    }
  })

  it('is waited for by the command line, too', async () => {
    await buildSlowly('claims', Number.POSITIVE_INFINITY)
    const store = new URL(log.proxy.uri(await mongoUri()))
    store.pathname = log.db.databaseName
    const env = { EVENTSTORE_STORE: store.href, EVENTSTORE_KEYS: JSON.stringify(log.keys) }
    const status = await command(['status'], { env })
    assert.match(status.err, /"claims" is still being built on [^ ]*events/)
    const { code, err } = await command(['prepare'], { env })
    assert.equal(code, 0, err)
    assert.ok(await log.db.collection('events').indexExists('claims'))
  })
})
