import assert from 'node:assert/strict'
import type { Document } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { silent } from '../../lib/index.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { openProxiedLog, type ProxiedLog } from '../support/proxied-log.ts'

describe('opening the log while an index of it is being built', () => {
  let log: ProxiedLog
  beforeEach(async () => {
    log = await openProxiedLog()
  })
  afterEach(() => log.remove())

  const open = (): Promise<MongoEventStore> => MongoEventStore.open(log.proxiedDb, { keys: log.keys, logger: silent })

  for (const name of ['claims', 'streams']) {
    it(`is STORE_UNAVAILABLE as long as "${name}" is listed and not complete, and fine from then on`, async () => {
      // As a server answers: an index is listed from the moment its build begins.
      const { cursor: listed } = await log.db.command({ listIndexes: 'events', cursor: {} })
      const { v: _version, ...index } = listed.firstBatch.find((each: Document) => each['name'] === name)
      await log.db.collection('events').dropIndex(name)
      const ofEvents = ({ listIndexes }: Document): boolean => listIndexes === 'events'
      const listing = log.proxy.answer(
        { command: 'listIndexes', where: ofEvents, times: 3 },
        'after',
        (_, { cursor, ...reply }) => ({ ...reply, cursor: { ...cursor, firstBatch: listed.firstBatch } }),
      )
      for (let tries = 0; tries < 2; tries++) {
        const { message } = await rejectsWith('STORE_UNAVAILABLE', open)
        assert.match(message, new RegExp(`"${name}" of [^ ]*events is still being built: wait until it is done`))
      }
      await log.db.command({ createIndexes: 'events', indexes: [index] })
      await (await open()).close()
      assert.equal(listing.count, 3)
    })
  }
})
