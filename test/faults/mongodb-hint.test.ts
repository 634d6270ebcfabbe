import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import type { EventStore } from '../../lib/log/event-store.ts'
import { ephemeralKeys } from '../../lib/secrets/key-ring.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { append, commitOf } from '../support/appending.ts'
import { CountedStore, counted } from '../support/counted-store.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { openDatabase } from '../support/mongo-database.ts'
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

  it('is woken again after an outage, however long it was, and says once that it was away', async () => {
    const open = opened()
    const follower = new Follower(reader, 0)
    await open
    log.proxy.refuse()
    log.proxy.cutAll()
    for (const _ of range(20)) {
      await clock.advance(30_000) // as often as it tries at the longest
      await sleep(1) // the driver lives in the machine's time
    }
    log.proxy.accept()
    const again = opened()
    let isOpen = false
    void again.then(() => {
      isOpen = true
    })
    while (!isOpen) {
      await clock.advance(1_000)
      await sleep(1)
    }
    const { id } = await append(log.store, commitOf('far'))
    await follower.saw([id ?? '']) // the clock stands still: nobody polls
    await follower.stop()
    const about = said.filter((message) => message.includes('change stream'))
    assert.deepEqual(about, [
      'the change stream of the log has ended; subscriptions poll until it is open again',
      'the change stream of the log is open again',
    ])
  })

  it('is woken again when the connection of the stream went silent', async () => {
    const silence = log.proxy.silence({ command: 'getMore' }, 'before')
    const follower = new Follower(reader, 0)
    await silence.happened
    const again = opened()
    let isOpen = false
    void again.then(() => {
      isOpen = true
    })
    while (!isOpen) {
      await clock.advance(1_000)
      await sleep(1)
    }
    const { id } = await append(log.store, commitOf('far'))
    await follower.saw([id ?? ''])
    await follower.stop()
  })
})

describe('a client whose pool has no connection to spare', () => {
  it('opens no change stream', async () => {
    const log = await openProxiedLog({ client: { maxPoolSize: 3 } })
    const streams = log.proxy.dropBefore({ command: 'aggregate' })
    const follower = new Follower(log.store, 0)
    const { id } = await append(log.store, commitOf('own'))
    await follower.saw([id ?? ''])
    await follower.stop()
    assert.equal(streams.count, 0)
    streams.cancel()
    await log.remove()
  })
})

describe('an idle process', () => {
  for (const [how, streams, most] of [
    ['beside a change stream', true, 5],
    ['where there is none', false, 10],
  ] as const) {
    it(`costs the database ${most} commands in ten seconds at the most, however many subscribe, ${how}`, async () => {
      const database = await openDatabase('idle')
      const { setName } = await database.db.command({ hello: 1 })
      const clock = new FakeClock()
      const pool = streams ? {} : { maxPoolSize: 3 }
      const process = await CountedStore.open(database, ephemeralKeys(), clock, pool)
      const followers = range(20).map(() => new Follower(process.store, 0))
      try {
        const { id } = await append(process.store, commitOf('something'))
        await Promise.all(followers.map((follower) => follower.saw([String(id)])))
        const isOpen = (): boolean => process.sent.some(({ name }) => name.startsWith('getMore'))
        while (streams && setName !== undefined && !isOpen()) await process.quiet()
        for (const _ of range(20)) {
          await clock.advance(100) // until they have looked again, and found nothing
          await process.quiet()
        }
        const { commands } = await process.during(async () => {
          for (const _ of range(10)) {
            await clock.advance(1_000)
            await process.quiet()
          }
        })
        assert.ok(commands.length > 0 && commands.length <= most, counted(commands))
      } finally {
        for (const follower of followers) await follower.stop()
        await process.close()
        await database.drop()
      }
    })
  }
})
