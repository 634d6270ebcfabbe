import assert from 'node:assert/strict'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import type { EventStore } from '../../lib/log/event-store.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { append, commitOf } from '../support/appending.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { openProxiedLog, type ProxiedLog } from '../support/proxied-log.ts'

describe('a subscription of another process than the writer', () => {
  let log: ProxiedLog
  let clock: FakeClock
  let reader: EventStore
  let said: string[]

  beforeEach(async function () {
    log = await openProxiedLog({ client: { retryReads: false } })
    const { setName } = await log.db.command({ hello: 1 })
    if (setName === undefined) this.skip() // a server alone has no change streams
    clock = new FakeClock()
    said = []
    const say = (_: object, message: string): unknown => said.push(message)
    const logger = { debug: say, info: say, warn: say, error: say } as never
    // Its clock stands still, so that it never polls.
    reader = await MongoEventStore.open(log.proxiedDb, { keys: log.keys, clock, logger })
  })
  afterEach(async () => {
    await reader?.close()
    await log.remove()
  })

  const opened = (): Promise<void> => log.proxy.arrival('getMore')

  it('is woken by the change stream', async () => {
    const open = opened()
    const follower = new Follower(reader, 0)
    await open
    for (let n = 0; n < 3; n += 1) {
      const { id } = await append(log.store, commitOf('far'))
      await follower.saw([id ?? ''])
    }
    await follower.stop()
    assert.deepEqual(said, [])
  })

  it('polls when the server refuses the stream, and says so once, quietly', async () => {
    const refused = log.proxy.answer(
      { command: 'aggregate', where: ({ pipeline }) => pipeline?.[0]?.$changeStream !== undefined },
      'before',
      () => ({ ok: 0, code: 13, errmsg: 'scripted', codeName: 'Unauthorized' }),
    )
    const follower = new Follower(reader, 0)
    await refused.happened
    const { id } = await append(log.store, commitOf('far'))
    while (follower.ids.length === 0) {
      await clock.scheduled()
      await clock.advance(1_000)
    }
    assert.deepEqual(follower.ids, [id])
    assert.deepEqual(said.slice(0, 1), [
      'the change stream of the log has ended; subscriptions poll until it is open again',
    ])
    await follower.stop()
  })

  it('has one stream, however many subscribe, and none when the store has closed', async () => {
    let streams = 0
    const count = ({ pipeline }: { pipeline?: { $changeStream?: object }[] }): boolean => {
      if (pipeline?.[0]?.$changeStream) streams += 1
      return false
    }
    log.proxy.dropBefore({ command: 'aggregate', where: count as never })
    const open = opened()
    const followers = [new Follower(reader, 0), new Follower(reader, 0), new Follower(reader, 0)]
    await open
    await reader.close()
    for (const follower of followers) await follower.ended
    assert.equal(streams, 1)
  })
})
