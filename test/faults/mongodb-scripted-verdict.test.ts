import assert from 'node:assert/strict'
import type { Document } from 'mongodb'
import { type Appending, append, appendAll, commitOf } from '../support/appending.ts'
import { assertLogSound } from '../support/invariants.ts'
import { onlyFinds, openProxiedLog, type ProxiedLog } from '../support/proxied-log.ts'

const UNAUTHORIZED = { ok: 0, code: 13, errmsg: 'scripted', codeName: 'Unauthorized' }
const NO_MAJORITY = { code: 64, errmsg: 'waiting for replication timed out', codeName: 'WriteConcernFailed' }

function once(mark: string): { claims: [{ kind: 'once'; mark: string }] } {
  return { claims: [{ kind: 'once', mark }] }
}

function codes(answers: readonly Appending[]): string[] {
  return answers.map(({ code }) => code ?? 'stored')
}

function isTombstone({ documents }: Document): boolean {
  return (documents as Document[]).every(({ e }) => e.length === 0)
}

for (const path of ['ticket path', 'quiet path'] as const) {
  describe(`what became of an append on the ${path}`, () => {
    const command = path === 'ticket path' ? 'insert' : 'bulkWrite'
    let log: ProxiedLog
    let answered: Appending[]

    beforeEach(async () => {
      log = await openProxiedLog({ path, client: { retryWrites: false, retryReads: false } })
      answered = await appendAll(log.store, [commitOf('first'), commitOf('second')], 'one by one')
    })
    afterEach(() => log.remove())

    /** One of them claims the mark. The quiet path is for two at most, and stops at the first that it cannot insert. */
    const batchOf = async (mark: string): Promise<string[]> => {
      const two = [commitOf('b', once(mark)), commitOf('c')]
      const batch = await appendAll(log.store, path === 'ticket path' ? [commitOf('a'), ...two] : two)
      answered.push(...batch)
      return codes(batch)
    }
    const withOne = (code: string): string[] => (path === 'ticket path' ? ['stored', code, 'stored'] : [code, 'stored'])

    it('is told to each of a batch alone: one claims what is held, the others are stored', async () => {
      answered.push(await append(log.store, commitOf('holder', once('code'))))
      assert.deepEqual(await batchOf('code'), withOne('ALREADY_CLAIMED'))
      await assertLogSound(log.db, { answered })
    })

    it('is told alike when a write-concern error came on top of the claim that is held', async () => {
      answered.push(await append(log.store, commitOf('holder', once('code'))))
      const met = log.proxy.answer({ command }, 'after', (_, reply) => ({ ...reply, writeConcernError: NO_MAJORITY }))
      assert.deepEqual(await batchOf('code'), withOne('ALREADY_CLAIMED'))
      assert.equal(met.count, 1)
      await assertLogSound(log.db, { answered })
    })

    it('is found out again when the tombstone is lost, or its answer, or who holds the claims', async () => {
      log.proxy.dropBefore({ command })
      log.proxy.dropBefore({ command: 'find', times: 2 })
      log.proxy.cutAfter({ command: 'insert', where: isTombstone, times: 2 })
      log.proxy.dropBefore({ command: 'find', where: ({ filter }) => 'k' in filter })
      assert.deepEqual(await batchOf('code'), withOne('stored'))
      await assertLogSound(log.db, { answered })
    })

    for (const stored of [true, false]) {
      it(`is OUTCOME_UNKNOWN when the server refuses to tell, and ${stored ? 'it was' : 'it was not'} stored`, async () => {
        if (stored) log.proxy.cutAfter({ command })
        else log.proxy.dropBefore({ command })
        log.proxy.answer({ command: 'find', where: onlyFinds('events') }, 'before', () => UNAUTHORIZED)
        const stream = 'Thing:one'
        const { tag, code } = await append(log.store, commitOf('unknown', { stream }))
        assert.equal(code, 'OUTCOME_UNKNOWN')
        const next = await append(log.store, commitOf('next', { stream }))
        const tags = (await log.store.read(stream)).map(({ events }) => events[0]?.data['tag'])
        assert.deepEqual(tags, stored ? [tag, next.tag] : [next.tag], 'it goes on to find out, and lets nobody pass')
      })
    }

    it('is decided on what is read at majority, and written to the majority and its journal', async () => {
      const seen: Document[] = []
      const spy = (request: Document): boolean => {
        seen.push(request)
        return false
      }
      log.proxy.dropBefore({ command: ['find', 'insert', 'bulkWrite', 'findAndModify'], where: spy })
      await append(log.store, commitOf('holder', once('code')))
      assert.deepEqual(await batchOf('code'), withOne('ALREADY_CLAIMED'))
      await append(log.store, commitOf('one', { stream: 'Thing:v', version: 1 }))
      await append(log.store, commitOf('two', { stream: 'Thing:v', version: 2 }))
      const reads = seen.filter((request) => 'find' in request)
      assert.ok(reads.length >= 3)
      for (const { readConcern } of reads) assert.deepEqual(readConcern, { level: 'majority' })
      const writes = seen.filter((request) => !('find' in request))
      assert.ok(writes.some((request) => 'findAndModify' in request || path === 'quiet path'))
      for (const { writeConcern } of writes) assert.deepEqual(writeConcern, { w: 'majority', j: true })
    })
  })
}

describe('what a list of write errors leaves open', () => {
  let log: ProxiedLog
  beforeEach(async () => {
    log = await openProxiedLog({ path: 'ticket path', client: { retryWrites: false } })
  })
  afterEach(() => log.remove())

  for (const [what, errors, expected] of [
    ['a document that the server refuses for good', [{ index: 1, code: 121 }], ['stored', 'STORE_REFUSED', 'stored']],
    [
      'a duplicate and a shut-down behind it',
      [
        { index: 0, code: 11000 },
        { index: 1, code: 11600 },
      ],
      ['stored', 'stored', 'stored'],
    ],
  ] as const) {
    it(`is looked up, not taken as stored: ${what}`, async () => {
      const writeErrors = errors.map((error) => ({ ...error, errmsg: 'scripted' }))
      log.proxy.answer({ command: 'insert' }, 'before', () => ({ ok: 1, n: 1, writeErrors }))
      const answered = await appendAll(log.store, [commitOf('a'), commitOf('b'), commitOf('c')])
      assert.deepEqual(codes(answered), expected)
      await assertLogSound(log.db, { answered })
    })
  }
})

describe('the counter of positions', () => {
  let log: ProxiedLog
  beforeEach(async () => {
    log = await openProxiedLog({ path: 'ticket path', client: { retryWrites: false } })
  })
  afterEach(() => log.remove())

  it('is asked again when its answer is lost, it has no primary, or it says nothing', async () => {
    const command = 'findAndModify'
    log.proxy.cutAfter({ command })
    log.proxy.dropBefore({ command })
    log.proxy.answer({ command }, 'before', () => ({ ok: 0, code: 10107, errmsg: 'scripted' }))
    log.proxy.answer({ command }, 'before', () => ({ ok: 1, value: null }))
    log.proxy.answer({ command }, 'after', (_, reply) => ({ ...reply, writeConcernError: NO_MAJORITY }))
    const answered = await appendAll(log.store, [commitOf('a'), commitOf('b')])
    assert.deepEqual(codes(answered), ['stored', 'stored'])
    await assertLogSound(log.db, { answered })
  })

  it('that may not be moved ends the appends with STORE_REFUSED, and nothing is stored', async () => {
    log.proxy.answer({ command: 'findAndModify' }, 'before', () => UNAUTHORIZED)
    const answered = await appendAll(log.store, [commitOf('a'), commitOf('b')])
    assert.deepEqual(codes(answered), ['STORE_REFUSED', 'STORE_REFUSED'])
    await assertLogSound(log.db, { answered })
  })

  it('that goes back gives no position at or below one that was seen', async () => {
    const [seen] = await appendAll(log.store, [commitOf('seen')])
    await log.db.collection<{ _id: string }>('counters').updateOne({ _id: 'events' }, { $set: { n: 0 } })
    const later = await append(log.store, commitOf('later'))
    assert.ok(Number(later.position) > Number(seen?.position))
  })
})

describe('the predecessor of a version', () => {
  let log: ProxiedLog
  beforeEach(async () => {
    log = await openProxiedLog({ client: { retryReads: false } })
  })
  afterEach(() => log.remove())

  const version = (n: number): Promise<Appending> =>
    append(log.store, commitOf(`v${n}`, { stream: 'Thing:v', version: n }))

  it('is waited for when the primary has it and the majority not yet', async () => {
    await version(1)
    const cursor = { id: 0, firstBatch: [], ns: 'scripted.events' }
    const met = log.proxy.answer({ command: 'find', times: 2, where: atMajority }, 'before', () => ({ ok: 1, cursor }))
    assert.equal((await version(2)).code, undefined)
    assert.equal(met.count, 2)
  })

  it('is asked for again when the answer is lost', async () => {
    await version(1)
    log.proxy.dropBefore({ command: 'find', times: 2 })
    assert.equal((await version(2)).code, undefined)
  })

  it('that is not there is CONCURRENCY, and one that may not be read STORE_REFUSED', async () => {
    assert.equal((await version(2)).code, 'CONCURRENCY')
    log.proxy.answer({ command: 'find' }, 'before', () => UNAUTHORIZED)
    assert.equal((await version(2)).code, 'STORE_REFUSED')
  })
})

function atMajority({ readConcern }: Document): boolean {
  return readConcern?.level === 'majority'
}
