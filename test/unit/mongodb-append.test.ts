import assert from 'node:assert/strict'
import { MongoServerError } from 'mongodb'
import type { Collections } from '../../adapters/mongodb/collections.ts'
import { Positions } from '../../adapters/mongodb/positions.ts'
import { StoreRefusedError } from '../../lib/index.ts'
import { type Appending, commitOf } from '../support/appending.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { assertLogSound } from '../support/invariants.ts'
import { LogProcess } from '../support/log-process.ts'
import { type Fate, ServerInMemory } from '../support/server-in-memory.ts'

describe('an append on MongoDB', () => {
  let clock: FakeClock
  let server: ServerInMemory
  let process: LogProcess
  let answered: Appending[]

  beforeEach(() => {
    clock = new FakeClock()
    server = new ServerInMemory()
    process = new LogProcess(server, clock)
    answered = []
  })

  afterEach(async () => {
    server.fateOf = () => 'answered'
    server.catchUp()
    await clock.advance(60_000)
    await assertLogSound(server.db, { answered: answered.filter(({ code }) => code !== 'OUTCOME_UNKNOWN') })
    assert.equal(await process.stop(), 0, 'nothing is left unknown')
  })

  /** Appends them in one tick, and moves the clock until all are answered. */
  async function append(...commits: readonly ReturnType<typeof commitOf>[]): Promise<Appending[]> {
    const answers = Promise.all(commits.map((commit) => process.append(commit)))
    let isOver = false
    void answers.finally(() => {
      isOver = true
    })
    while (!isOver) await clock.advance(5)
    answered.push(...(await answers))
    return answers
  }

  /** The fates of the next commands of this name; all further ones are answered. */
  function plan(name: string, ...fates: readonly Fate[]): void {
    const left = [...fates]
    server.fateOf = (command) => (command === name ? (left.shift() ?? 'answered') : 'answered')
  }

  const codes = (some: readonly Appending[]): unknown[] => some.map(({ code, position }) => code ?? position)
  const once = (mark: string) => ({ claims: [{ kind: 'once', mark } as const] })
  /** What lies in the log: `-` is a tombstone. */
  const log = (): string => server.documents.map(({ e }) => (e.length > 0 ? 'c' : '-')).join('')

  it('goes with those of its tick: one command allocates, one inserts', async () => {
    assert.deepEqual(codes(await append(commitOf('a'), commitOf('b'), commitOf('c'))), [1, 2, 3])
    assert.deepEqual(server.commands, ['findAndModify', 'insert'])
  })

  it('is found where its answer was lost: it is stored once, and takes no other position', async () => {
    plan('insert', 'answer lost')
    assert.deepEqual(codes(await append(commitOf('a'), commitOf('b'))), [1, 2])
    assert.equal(server.commands.filter((command) => command === 'findAndModify').length, 1)
    assert.equal(log(), 'cc')
  })

  it('takes another position only once its own is dead', async () => {
    plan('insert', 'lost')
    assert.deepEqual(codes(await append(commitOf('a'))), [2])
    assert.equal(log(), '-c')
    const settled = server.commands.lastIndexOf('findAndModify')
    assert.deepEqual(server.commands.slice(0, settled), ['findAndModify', 'insert', 'find', 'insert', 'find'])
  })

  for (const lost of ['lost', 'answer lost', 'not primary', 'no majority', 'rolled back'] as const) {
    it(`takes no position for dead before a majority has its tombstone (which is ${lost})`, async () => {
      plan('insert', 'lost', lost, lost)
      const [{ position } = {}] = await append(commitOf('a'))
      assert.ok(Number(position) > 1)
      assert.equal(server.documents.at(0)?.['e'].length, 0)
    })
  }

  it('that comes too late lands nowhere: its position was closed, and it is stored at another', async () => {
    plan('insert', 'late')
    assert.deepEqual(codes(await append(commitOf('a'))), [2])
    server.catchUp()
    assert.equal(log(), '-c')
  })

  it('that was rolled back is stored again', async () => {
    plan('insert', 'rolled back')
    const [{ position } = {}] = await append(commitOf('a', once('code')))
    server.catchUp()
    assert.ok(Number(position) >= 1)
    assert.equal(server.documents.filter(({ e }) => e.length > 0).length, 1)
  })

  it('is refused where another holds its claim, it alone', async () => {
    const [holder] = await append(commitOf('holder', once('code')))
    assert.equal(holder?.code, undefined)
    const batch = await append(commitOf('a'), commitOf('b', once('code')), commitOf('c'))
    assert.deepEqual(
      batch.map(({ code }) => code),
      [undefined, 'ALREADY_CLAIMED', undefined],
    )
  })

  it('is stored once its claim is free: who held it was rolled back', async () => {
    const other = new LogProcess(server, clock)
    plan('insert', 'rolled back')
    server.fateOf = (
      (fates: Fate[]) => (name) =>
        name === 'insert' ? (fates.shift() ?? 'answered') : 'answered'
    )(['rolled back'])
    const first = other.append(commitOf('first', once('code')))
    await clock.advance(0)
    const second = process.append(commitOf('second', once('code')))
    await clock.advance(8_000)
    answered.push(await first, await second)
    assert.equal(answered.filter(({ code }) => code === undefined).length, 1)
    await other.stop()
  })

  it('waits for the one before it that writes the same stream, while others overtake a silent connection', async () => {
    plan('insert', 'late')
    const order: string[] = []
    const start = async (name: string, stream: string): Promise<void> => {
      answered.push(await process.append(commitOf(name, { stream })))
      order.push(name)
    }
    const first = start('first', 'Thing:same')
    await clock.advance(1)
    const others = [start('later', 'Thing:same'), start('other', 'Thing:other')]
    await clock.advance(200)
    assert.equal(server.commands.filter((command) => command === 'insert').length, 1, 'a batch is in flight')
    await clock.advance(100)
    assert.deepEqual(order, ['other'])
    await clock.advance(9_000)
    await Promise.all([first, ...others])
    assert.deepEqual(order, ['other', 'first', 'later'])
    assert.ok(Number(answered[1]?.position) < Number(answered[2]?.position))
  })

  it('sends eight batches at most whose fate is not known', async () => {
    server.fateOf = (command) => (command === 'insert' ? 'late' : 'answered')
    const appends: Promise<Appending>[] = []
    let most = 0
    for (let batches = 0; batches < 12; batches++) {
      appends.push(process.append(commitOf('a')))
      await clock.advance(300)
      most = Math.max(most, server.commands.filter((command) => command === 'insert').length)
    }
    assert.equal(most, 8)
    server.fateOf = () => 'answered'
    await clock.advance(20_000)
    answered.push(...(await Promise.all(appends)))
  })

  for (const [what, sent, code] of [
    ['may have been stored', 'insert', 'OUTCOME_UNKNOWN'],
    ['was not sent', 'findAndModify', 'STORE_UNAVAILABLE'],
  ] as const) {
    it(`is answered within nine seconds though the server is away: ${code} where it ${what}`, async () => {
      server.fateOf = (command) =>
        sent === 'insert' && command === 'findAndModify' ? 'answered' : command === 'insert' ? 'answer lost' : 'lost'
      const began = clock.monotonic()
      const [answer] = await append(commitOf('a', { stream: 'Thing:a' }))
      assert.equal(answer?.code, code)
      assert.ok(clock.monotonic() - began <= 9_100)
      server.fateOf = () => 'answered'
      await clock.advance(10_000)
      const [next] = await append(commitOf('next', { stream: 'Thing:a' }))
      assert.equal(next?.code, undefined, 'its stream is free again')
      assert.equal(log().replaceAll('-', ''), sent === 'insert' ? 'cc' : 'c')
    })
  }

  it('is refused at once while 20,000 wait', async () => {
    server.fateOf = () => 'late'
    const waiting: Promise<Appending>[] = []
    for (const count of [1, 20_000]) {
      for (let i = 0; i < count; i++) waiting.push(process.append(commitOf('a')))
      await clock.advance(0)
    }
    let beyond: Appending | undefined
    void process.append(commitOf('beyond')).then((answer) => {
      beyond = answer
    })
    await clock.advance(0)
    assert.equal(beyond?.code, 'STORE_UNAVAILABLE')
    await clock.advance(10_000)
    const answers = await Promise.all(waiting)
    assert.ok(answers.every(({ code }) => code === 'STORE_UNAVAILABLE'))
  })

  it('that a foreign unique index refuses is tried again with pauses, and ends in an error that names the index', async () => {
    server.indexes = [
      { name: '_id_', key: { _id: 1 } },
      { name: 'claims', key: { k: 1 }, unique: true },
      { name: 'mine', key: { at: 1 }, unique: true },
    ]
    server.refuses = ({ e }) => e.length > 0
    const refused = process.append(commitOf('a'))
    await clock.advance(5_000)
    answered.push(await refused)
    assert.equal(answered[0]?.code, 'STORE_REFUSED')
    const tries = server.commands.filter((command) => command === 'findAndModify').length
    assert.ok(tries <= 6, `${tries} tries`)
    server.refuses = () => false
    assert.equal((await append(commitOf('b')))[0]?.code, undefined)
  })

  it('goes again, and again, where an index refuses it that is gone soon', async () => {
    let refusals = 3
    server.refuses = ({ e }) => e.length > 0 && refusals-- > 0
    assert.equal((await append(commitOf('a')))[0]?.code, undefined)
  })

  describe('with the fast path', () => {
    beforeEach(async () => {
      process = new LogProcess(server, clock, { fastPath: true })
      await append(commitOf('first'))
      server.commands.length = 0
    })

    it('goes as one command where nothing else is in flight', async () => {
      assert.deepEqual(codes(await append(commitOf('a'), commitOf('b'))), [2, 3])
      assert.deepEqual(server.commands, ['bulkWrite'])
    })

    it('allocates where another process has moved the counter, and is written once', async () => {
      const other = new LogProcess(server, clock)
      const elsewhere = other.append(commitOf('elsewhere'))
      await clock.advance(0)
      answered.push(await elsewhere)
      assert.deepEqual(codes(await append(commitOf('a'))), [3])
      assert.deepEqual(server.commands.slice(-3), ['bulkWrite', 'findAndModify', 'insert'])
      await other.stop()
    })

    it('is not tried any more while the counter moves nearly always, and tried again later', async () => {
      for (let moved = 0; moved < 8; moved++) {
        server.skipPosition()
        await append(commitOf('a'))
      }
      assert.ok(server.commands.filter((command) => command === 'bulkWrite').length < 8)
      server.commands.length = 0
      await append(commitOf('a'))
      assert.deepEqual(server.commands, ['findAndModify', 'insert'])
    })

    for (const fate of ['lost', 'answer lost', 'late', 'no majority', 'rolled back', 'not primary'] as const) {
      it(`is stored once, or again at a new position, where the command is ${fate}`, async () => {
        plan('bulkWrite', fate)
        const answers = await append(commitOf('a', once('a')), commitOf('b'), commitOf('c'))
        assert.ok(answers.every(({ code }) => code === undefined))
        server.catchUp()
        assert.equal(server.documents.filter(({ e }) => e.length > 0).length, 4)
      })
    }

    it('stops at the one whose claim is held; those behind it go again', async () => {
      await append(commitOf('holder', once('code')))
      const batch = await append(commitOf('a'), commitOf('b', once('code')), commitOf('c'))
      assert.deepEqual(
        batch.map(({ code }) => code),
        [undefined, 'ALREADY_CLAIMED', undefined],
      )
    })
  })
})

describe('positions of the log on MongoDB', () => {
  it('are dropped unused where they were allocated too long ago: the machine was suspended meanwhile', async () => {
    const times = [0, 10_001, 20_000, 30_000]
    const server = new ServerInMemory()
    const clock = Object.assign(new FakeClock(), { monotonic: () => times.shift() ?? 0, sleep: async () => {} })
    const positions = new Positions(new LogProcess(server, clock).collections, clock)
    times.splice(0, times.length, 0, 10_001, 20_000, 30_000)
    assert.deepEqual(await positions.allocate(2, () => true), { first: 3, size: 2 })
  })

  it('are asked for no more when nobody waits for them', async () => {
    const server = new ServerInMemory()
    const positions = new Positions(new LogProcess(server, new FakeClock()).collections, new FakeClock())
    assert.equal(await positions.allocate(1, () => false), undefined)
    assert.deepEqual(server.commands, [])
  })

  it('are above all that the process has seen, though the counter has gone back', async () => {
    const server = new ServerInMemory()
    const positions = new Positions(new LogProcess(server, new FakeClock()).collections, new FakeClock())
    positions.see(7)
    positions.see(3)
    assert.equal(positions.seen, 7)
    assert.deepEqual(await positions.allocate(1, () => true), { first: 8, size: 1 })
  })

  it('end in what the server says where it refuses for good', async () => {
    const refusal = new MongoServerError({ code: 13, errmsg: 'not authorized' })
    let asked = 0
    const collections = {
      attempt: async () => {
        asked += 1
        throw refusal
      },
    } as unknown as Collections
    await assert.rejects(
      new Positions(collections, new FakeClock()).allocate(1, () => true),
      (error: unknown) => error === refusal || error instanceof StoreRefusedError,
    )
    assert.equal(asked, 1)
  })
})
