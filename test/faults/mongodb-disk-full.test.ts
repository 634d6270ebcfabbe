import assert from 'node:assert/strict'
import type { Document } from 'mongodb'
import { MongoEventStore } from '../../adapters/mongodb/index.ts'
import { silent } from '../../lib/index.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { type Appending, append, appendAll, commitOf } from '../support/appending.ts'
import { assertLogSound } from '../support/invariants.ts'
import type { PlannedFault } from '../support/planned-fault.ts'
import { openProxiedLog, type ProxiedLog } from '../support/proxied-log.ts'

const FULL = { code: 14031, codeName: 'OutOfDiskSpace', errmsg: 'No space left on device' }
const SAID = /the disk of the MongoDB server is full \(No space left on device\).* Make room/
const ALWAYS = Number.POSITIVE_INFINITY

/** What a server may answer that has no room: as an error of the command, or of each of its documents. */
const ANSWERS = {
  'the command': (_: Document, error: Document) => ({ ok: 0, ...error }),
  'each of its documents': (request: Document, error: Document) => {
    const { documents, updates, bulkWrite } = request
    if (bulkWrite) {
      const firstBatch = [{ ok: 0, idx: 0, ...error, n: 0 }]
      return { ok: 1, cursor: { id: 0n, firstBatch, ns: 'admin.$cmd.bulkWrite' }, nErrors: 1, nInserted: 0 }
    }
    if (!documents && !updates) return { ok: 0, ...error }
    return { ok: 1, n: 0, writeErrors: ((documents ?? updates) as Document[]).map((_, index) => ({ index, ...error })) }
  },
} as const

const WRITES = ['insert', 'update', 'findAndModify', 'bulkWrite']

for (const path of ['ticket path', 'quiet path'] as const) {
  for (const [what, answer] of Object.entries(ANSWERS)) {
    describe(`a MongoDB server whose disk is full, which refuses ${what}, on the ${path}`, () => {
      const insert = path === 'ticket path' ? 'insert' : 'bulkWrite'
      let log: ProxiedLog
      let answered: Appending[]
      let full: PlannedFault

      beforeEach(async () => {
        log = await openProxiedLog({ path, client: { retryWrites: false } })
        answered = await appendAll(log.store, [commitOf('first'), commitOf('second')], 'one by one')
      })
      afterEach(() => log.remove())

      const fill = (command: readonly string[]): void => {
        full = log.proxy.answer({ command, times: ALWAYS }, 'before', (request) => answer(request, FULL))
      }

      /** Room again: what is appended is stored, everybody sees it, and all that was answered is true. */
      const goesOn = async (): Promise<void> => {
        full.cancel()
        answered.push(...(await appendAll(log.store, [commitOf('later'), commitOf('last')], 'one by one')))
        const follower = new Follower(log.store, 0)
        await follower.saw(answered.flatMap(({ id }) => id ?? []))
        await follower.stop()
        await assertLogSound(log.db, { answered, subscribers: [{ after: 0, ids: follower.ids }] })
        assert.deepEqual(
          answered.slice(-2).map(({ code }) => code),
          [undefined, undefined],
          'there is room again',
        )
      }

      it('says so to whoever appends, at once, and stores again when there is room', async () => {
        fill(WRITES)
        const began = performance.now()
        for (const commits of [[commitOf('a')], range(20).map(() => commitOf('b'))]) {
          const refused = await appendAll(log.store, commits)
          answered.push(...refused.filter(({ code }) => code !== 'OUTCOME_UNKNOWN'))
          const expected = path === 'quiet path' && commits.length === 1 && what === 'the command'
          const code = expected ? 'OUTCOME_UNKNOWN' : 'STORE_UNAVAILABLE'
          assert.deepEqual([...new Set(refused.map((each) => each.code))], [code])
        }
        assert.ok(performance.now() - began < 8_000, 'they waited for a disk that is full')
        const stored = await log.store.read(answered[0]?.tag ? `Thing:${answered[0].tag}` : '')
        assert.equal(stored.length, 1, 'reads go on')
        await goesOn()
      })

      it('says so in its message, for appends, consumers and work alike', async () => {
        fill(WRITES)
        const commit = commitOf('a')
        const calls: readonly (() => Promise<unknown>)[] = [
          () => Promise.all(range(3).map(() => log.store.append(commitOf('b')))),
          () => log.store.consumers.ensure('new', 0),
          () => log.store.liveness.beat(['holder']),
          () => log.store.work('jobs').add([{ id: 'a', lane: 'l', dueAt: 0, body: {} }]),
          () => MongoEventStore.open(log.proxiedDb, { keys: log.keys, logger: silent }),
        ]
        for (const call of calls) assert.match((await rejectsWith('STORE_UNAVAILABLE', call)).message, SAID)
        if (what === 'the command' && path === 'quiet path') {
          const { message } = await rejectsWith('OUTCOME_UNKNOWN', () => log.store.append(commit))
          assert.match(message, /the disk of the MongoDB server is full/)
        }
        await goesOn()
      })

      it('says so however many batches of unknown outcome there are, and stores again when there is room', async () => {
        fill([insert, 'insert'])
        const began = performance.now()
        for (let batches = 0; batches < 12; batches++) {
          await assert.rejects(log.store.append(commitOf('a')), /the disk of the MongoDB server is full/)
        }
        assert.ok(performance.now() - began < 8_000, 'they waited for a disk that is full')
        await goesOn()
      })

      it('leaves nothing behind of what it refused when it had positions already', async () => {
        fill([insert, 'insert'])
        const batch = await appendAll(
          log.store,
          path === 'ticket path' ? range(5).map(() => commitOf('c')) : [commitOf('c')],
        )
        const code = what === 'the command' ? 'OUTCOME_UNKNOWN' : 'STORE_UNAVAILABLE'
        assert.deepEqual([...new Set(batch.map((each) => each.code))], [code])
        full.cancel()
        // Told unknown or refused: none of them is there, since the server has seen none of them.
        answered.push(...batch.map(({ tag }) => ({ tag })))
        await goesOn()
      })
    })
  }
}

describe('a MongoDB server that blocks writes before its disk is full', () => {
  const BLOCKED = {
    ...{ code: 371, codeName: 'UserWritesBlocked' },
    errmsg: 'User writes blocked, reason: DiskUseThresholdExceeded',
  }
  let log: ProxiedLog
  beforeEach(async () => {
    log = await openProxiedLog({ path: 'ticket path', client: { retryWrites: false } })
  })
  afterEach(() => log.remove())

  for (const [what, answer] of Object.entries(ANSWERS)) {
    it(`is told as one whose disk is full, at once, where it refuses ${what}`, async () => {
      const blocked = log.proxy.answer({ command: WRITES, times: ALWAYS }, 'before', (request) =>
        answer(request, BLOCKED),
      )
      for (const call of [
        () => log.store.append(commitOf('a')),
        () => log.store.work('jobs').add([{ id: 'a', lane: 'l', dueAt: 0, body: {} }]),
      ]) {
        const { message } = await rejectsWith('STORE_UNAVAILABLE', call)
        assert.match(message, /the disk of the MongoDB server is full \(User writes blocked, reason: DiskUse/)
      }
      blocked.cancel()
      await assertLogSound(log.db, { answered: [await append(log.store, commitOf('later'))] })
    })
  }
})

describe('a MongoDB server whose disk is full in the midst of a batch', () => {
  let log: ProxiedLog
  beforeEach(async () => {
    log = await openProxiedLog({ path: 'ticket path', client: { retryWrites: false } })
  })
  afterEach(() => log.remove())

  it('has stored those of it that are acknowledged, and none of the others', async () => {
    // It takes the first two documents of the batch, and has no room for the others, nor for tombstones.
    const fits: Document[] = []
    const batchOf5 = log.proxy.answer(
      { command: 'insert', where: ({ documents }) => documents.length === 5 },
      'before',
      ({ documents }) => {
        fits.push(...(documents as Document[]).slice(0, 2))
        return { ok: 1, n: 2, writeErrors: [2, 3, 4].map((index) => ({ index, ...FULL })) }
      },
    )
    const tombstones = log.proxy.answer({ command: 'insert', times: ALWAYS }, 'before', () => ({ ok: 0, ...FULL }))
    const sent = appendAll(
      log.store,
      range(5).map(() => commitOf('a')),
    )
    await batchOf5.happened
    await log.db.collection('events').insertMany(fits as never)
    const batch = await sent
    tombstones.cancel()
    const codes = batch.map(({ code }) => code)
    assert.deepEqual(codes.slice(2), ['STORE_UNAVAILABLE', 'STORE_UNAVAILABLE', 'STORE_UNAVAILABLE'])
    const answered = batch.filter(({ code }) => code !== 'OUTCOME_UNKNOWN')
    answered.push(await append(log.store, commitOf('later')))
    await assertLogSound(log.db, { answered })
  })
})
