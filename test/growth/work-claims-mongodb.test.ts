import assert from 'node:assert/strict'
import { type Call, Collections } from '../../adapters/mongodb/collections.ts'
import { RECHECK_MS, WorkLanes } from '../../adapters/mongodb/work-lanes.ts'
import type { NewWork, Work, WorkTable } from '../../lib/index.ts'
import { ephemeralKeys, StoreUnavailableError, systemClock } from '../../lib/index.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { CountedStore, counted } from '../support/counted-store.ts'
import { privateDatabase } from '../support/mongo-database.ts'

const OP = 'https://op.example.com '

/** A database that is away at times. */
class UnreliableCollections extends Collections {
  isAway = false

  override async withTimeout<T>(call: Call<T> | Promise<T>): Promise<T> {
    if (this.isAway) throw new StoreUnavailableError('the database is away')
    return super.withTimeout(call)
  }
}

describe('a claim of work on MongoDB', () => {
  const mongo = privateDatabase()
  let process: CountedStore
  let table: WorkTable
  let tables = 0

  before(async () => {
    process = await CountedStore.open(mongo, ephemeralKeys())
  })

  after(() => process.close())

  /** So many RPs that are owed something each, in a table of their own. */
  async function owed(lanes: number, each: number): Promise<void> {
    tables += 1
    table = process.store.work(`growth_${tables}`)
    const rows = range(lanes).flatMap((lane) =>
      range(each).map((n): NewWork => ({ id: `${lane}/${n}`, lane: `${OP}client-${lane}`, dueAt: n, body: {} })),
    )
    for (let i = 0; i < rows.length; i += 1_000) await table.add(rows.slice(i, i + 1_000))
  }

  const claim = (limit: number, freeSlots?: ReadonlyMap<string, number>): Promise<Work[]> =>
    table.claim({ holder: 'me', prefix: OP, now: 1_000, limit, perLane: 4, ...(freeSlots && { freeSlots }) })

  for (const count of [1, 100, 10_000]) {
    it(`marks ${count} rows as done with ${Math.ceil(count / 500)} commands`, async () => {
      await owed(1, count)
      const rows: Work[] = []
      while (rows.length < count)
        rows.push(...(await table.claim({ holder: 'me', prefix: OP, now: count, limit: 1_000, perLane: 1_000 })))
      const { result, commands } = await process.during(() => Promise.all(rows.map((row) => table.finish(row, 1))))
      assert.ok(result.every((isMine) => isMine))
      assert.ok(commands.length <= Math.ceil(count / 500), counted(commands))
    })
  }

  for (const count of [1, 100, 2_000]) {
    it(`asks with ${Math.ceil(count / 500)} commands whether ${count} RPs that are back have missed anything`, async () => {
      await owed(count, 1)
      const backAt = 1_000
      const { result, commands } = await process.during(() =>
        Promise.all(range(count).map((lane) => table.hasten(`${OP}client-${lane}`, backAt))),
      )
      assert.ok(result.every((hastened) => hastened === 0))
      assert.ok(commands.length <= Math.ceil(count / 500), counted(commands))
    })
  }

  it('hastens what some of many RPs have missed, where more waits than is looked at', async () => {
    await owed(20, 200)
    const all = range(20).map((lane) => table.hasten(`${OP}client-${lane}`, 0))
    assert.deepEqual(
      await Promise.all(all),
      range(20).map(() => 199),
    )
  })

  for (const missed of [1, 100, 10_000]) {
    it(`finds ${missed} rows of an RP due that is back, 1,000 with a command`, async () => {
      await owed(1, 0)
      const rows = range(missed).map(
        (n): NewWork => ({ id: `missed/${n}`, lane: `${OP}back`, dueAt: 10_000 + n, body: {} }),
      )
      for (let i = 0; i < rows.length; i += 1_000) await table.add(rows.slice(i, i + 1_000))
      const { result, commands } = await process.during(() => table.hasten(`${OP}back`, 1_000))
      assert.equal(result, missed)
      const changes = commands.filter(({ name }) => /^update growth_\d+$/.test(name))
      assert.equal(changes.length, Math.ceil(missed / 1_000))
      assert.ok(commands.length <= 1 + 3 * (1 + missed / 1_000), counted(commands))
      assert.equal(await table.nextDueAt(OP), 1_000)
      assert.equal((await claim(256)).length, Math.min(4, missed))
    })
  }

  for (const lanes of [1, 100, 10_000]) {
    it(`costs what it takes, where ${lanes} RPs are owed something`, async () => {
      await owed(lanes, 2)
      for (let turn = 0; turn < 3; turn++) {
        const one = await process.during(() => claim(1))
        if (lanes > 1 || turn < 2) assert.equal(one.result.length, 1)
        assert.ok(one.commands.length <= 4, counted(one.commands))
        assert.ok(Math.max(...one.commands.map(({ bytes }) => bytes)) < 2_000)
      }
      const many = await process.during(() => claim(256))
      assert.ok(many.commands.length <= 10, counted(many.commands))
      assert.ok(Math.max(...many.commands.map(({ bytes }) => bytes)) < 64_000)
      assert.equal(many.result.length, Math.min(256, Math.max(0, 2 * lanes - 3)))
    })
  }

  it('comes to each of 500 lanes before it comes to one again', async () => {
    await owed(500, 3)
    const seen: string[] = []
    while (seen.length < 500) seen.push(...(await claim(50)).map(({ lane }) => lane))
    assert.equal(new Set(seen).size, 500)
  })

  it('costs the same where most lanes may not be claimed from, and comes to the one that may', async () => {
    await owed(2_000, 1)
    const freeSlots = new Map(range(2_000).map((lane) => [`${OP}client-${lane}`, lane === 1_234 ? 1 : 0]))
    const found: Work[] = []
    let claims = 0
    for (; found.length === 0; claims++) {
      const { result, commands } = await process.during(() => claim(1, freeSlots))
      found.push(...result)
      assert.ok(commands.length <= 16, counted(commands))
      assert.ok(Math.max(...commands.map(({ bytes }) => bytes)) < 64_000)
    }
    assert.equal(found[0]?.lane, `${OP}client-1234`)
    assert.ok(claims <= 3, `${claims} claims`)
  })

  it('is as cheap once everything is done as on an empty table', async () => {
    await owed(300, 1)
    for (let rows = await claim(256); rows.length > 0; rows = await claim(256))
      await Promise.all(rows.map((row) => table.finish(row, 1_000)))
    for (let looks = 0; looks < 3; looks++)
      await table.claim({ holder: 'me', prefix: OP, now: 100_000, limit: 256, perLane: 4 })
    const { commands } = await process.during(() => table.nextDueAt(OP).then((at) => assert.equal(at, undefined)))
    assert.equal(commands.length, 1)
    const { commands: claiming } = await process.during(() => claim(256))
    assert.equal(claiming.length, 1, counted(claiming))
  })

  it('is followed by giving back at the cost of each row, however many are given back at once', async () => {
    await owed(256, 1)
    const rows = await claim(256)
    assert.equal(rows.length, 256)
    const { commands } = await process.during(() =>
      Promise.all(rows.map((row) => table.putBack(row, { dueAt: 2_000, body: {} }))),
    )
    assert.ok(commands.length <= 2 * 256, counted(commands))
    assert.ok(Math.max(...commands.map(({ bytes }) => bytes)) < 1_000)
  })

  it('does not put a lane off in which work began to wait after it was looked at', async () => {
    tables += 1
    const lanes = new WorkLanes(new Collections(mongo.db, '', systemClock), `growth_${tables}`)
    await lanes.touch(new Map([['a', 100]]))
    const look = { prefix: '', now: 1_000, except: [], limit: 10 }
    const [lane] = await lanes.due(look)
    assert.ok(lane)
    await lanes.touch(new Map([['a', 200]]))
    await lanes.served([{ lane, next: 50_000, held: false, taken: false }], 1, 1_000)
    assert.equal((await lanes.due(look)).length, 1)
    const [again] = await lanes.due(look)
    assert.ok(again)
    await lanes.served([{ lane: again, next: undefined, held: false, taken: false }], 2, 1_000)
    assert.deepEqual(await lanes.due(look), [])
    await lanes.touch(new Map([['a', 300]]))
    await lanes.served([{ lane: again, next: undefined, held: false, taken: false }], 3, 1_000)
    assert.equal((await lanes.due(look)).length, 1, 'nor forgets it')
  })

  it('makes a lane anew from which it has taken work, and that somebody else has seen empty and removed', async () => {
    tables += 1
    const lanes = new WorkLanes(new Collections(mongo.db, '', systemClock), `growth_${tables}`)
    await lanes.touch(new Map([['a', 100]]))
    const look = { prefix: '', now: 1_000, except: [], limit: 10 }
    const [lane] = await lanes.due(look)
    assert.ok(lane)
    await lanes.served([{ lane, next: undefined, held: false, taken: false }], 1, 1_000)
    assert.equal(await lanes.nextDueAt(''), undefined)
    await lanes.served([{ lane, next: undefined, held: true, taken: true }], 2, 1_000)
    assert.equal(await lanes.nextDueAt(''), 1_000 + RECHECK_MS)
    const [seen] = await lanes.due({ ...look, now: 100_000 })
    assert.ok(seen)
    await lanes.served([{ lane: seen, next: undefined, held: true, taken: true }], 3, 1_000)
    await lanes.served([{ lane: seen, next: undefined, held: false, taken: false }], 4, 1_000)
    assert.equal(await lanes.nextDueAt(''), 1_000 + RECHECK_MS, 'who saw it before that does not remove it')
  })

  it('finds a lane that an earlier call could not touch, though whoever repeats that call has none to touch', async () => {
    tables += 1
    const collections = new UnreliableCollections(mongo.db, '', systemClock)
    const lanes = new WorkLanes(collections, `growth_${tables}`)
    collections.isAway = true
    await assert.rejects(lanes.touch(new Map([['a', 100]])), StoreUnavailableError)
    await assert.rejects(lanes.touchRest(), StoreUnavailableError)
    collections.isAway = false
    await lanes.touchRest()
    const due = await lanes.due({ prefix: '', now: 1_000, except: [], limit: 10 })
    assert.deepEqual(
      due.map(({ _id, dueAt }) => [_id, dueAt]),
      [['a', 100]],
    )
  })

  it('is made up for where a process died between giving work back and saying so', async () => {
    await owed(1, 2)
    const [row] = await claim(1)
    assert.ok(row)
    const lanes = mongo.db.collection<{ _id: string }>(`growth_${tables}_lanes`)
    const rows = mongo.db.collection<{ _id: string }>(`growth_${tables}`)
    await rows.updateOne(
      { _id: row.id },
      { $set: { state: 'waiting', dueAt: 2_000 }, $unset: { holder: '', claim: '' } },
    )
    await table.claim({ holder: 'me', prefix: OP, now: 1_000, limit: 1, perLane: 4 }) // the other row
    const [lane] = await lanes.find({}).toArray()
    assert.ok(lane)
    assert.equal((await table.claim({ holder: 'me', prefix: OP, now: 11_000, limit: 1, perLane: 4 })).length, 1)
  })
})
