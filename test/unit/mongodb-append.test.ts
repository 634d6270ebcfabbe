import assert from 'node:assert/strict'
import { MongoServerError } from 'mongodb'
import type { Collections } from '../../adapters/mongodb/collections.ts'
import { Positions } from '../../adapters/mongodb/positions.ts'
import { StoreRefusedError } from '../../lib/index.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
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
    server.takes = async () => {}
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
  const inserts = (): number => server.commands.filter((command) => command === 'insert').length
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

  /** Two batches whose connections are silent: so many are in flight at a time. */
  async function twoSilent(): Promise<Promise<Appending>[]> {
    plan('insert', 'late', 'late')
    const silent: Promise<Appending>[] = []
    for (const stream of ['Thing:same', 'Thing:silent']) {
      silent.push(process.append(commitOf('silent', { stream })))
      await clock.advance(1)
    }
    assert.equal(inserts(), 2)
    return silent
  }

  it('waits for the one before it that writes the same stream, while others overtake silent connections', async () => {
    const [first, silent] = await twoSilent()
    const order: string[] = []
    void first?.then(() => order.push('first'))
    const later = process.append(commitOf('later', { stream: 'Thing:same' }))
    void later.then(() => order.push('later'))
    const other = process.append(commitOf('other'))
    void other.then(() => order.push('other'))
    await clock.advance(200)
    assert.equal(inserts(), 2, 'two batches are in flight')
    await clock.advance(100)
    assert.deepEqual(order, ['other'])
    await clock.advance(9_000)
    answered.push(...(await Promise.all([first, silent, later, other])).filter((one) => one !== undefined))
    assert.deepEqual(order, ['other', 'first', 'later'])
    assert.ok(Number(answered[0]?.position) < Number(answered[2]?.position))
  })

  it('overtakes no connection before four times the time that inserts take', async () => {
    for (let inserts = 0; inserts < 10; inserts++) process.latency.record(500)
    const silent = await twoSilent()
    const other = process.append(commitOf('other'))
    await clock.advance(1_900)
    assert.equal(inserts(), 2)
    await clock.advance(200)
    assert.equal(inserts(), 3)
    await clock.advance(9_000)
    answered.push(await other, ...(await Promise.all(silent)))
  })

  it('sends eight batches at most whose fate is not known, in flight or looked into', async () => {
    server.fateOf = (command) => (command === 'findAndModify' ? 'answered' : 'lost')
    const appends: Promise<Appending>[] = []
    for (let batches = 0; batches < 20; batches++) {
      appends.push(process.append(commitOf('a')))
      await clock.advance(400)
    }
    assert.equal(server.commands.filter((command) => command === 'findAndModify').length, 8)
    server.fateOf = () => 'answered'
    await clock.advance(20_000)
    answered.push(...(await Promise.all(appends)))
  })

  it('is sent whenever it comes, also in the moment in which the one before it has been stored', async () => {
    for (let ticks = 0; ticks < 40; ticks++) {
      const first = process.append(commitOf('first'))
      const second = first.then(async () => {
        for (let tick = 0; tick < ticks; tick++) await undefined
        return process.append(commitOf('second'))
      })
      let isOver = false
      void second.then(() => {
        isOver = true
      })
      await clock.advance(0)
      assert.ok(isOver, `${ticks} ticks later`)
      answered.push(await first, await second)
    }
  })

  it('leaves no timer behind', async () => {
    await append(commitOf('a'), commitOf('b'))
    await append(commitOf('c'))
    assert.ok(clock.pending <= 2, 'one for those that wait too long, one for the commands')
    await process.stop()
    assert.equal(clock.pending, 0)
  })

  it('teaches how long inserts take; one that nobody answered teaches nothing', async () => {
    plan('insert', 'late')
    await append(commitOf('a'))
    assert.ok(process.latency.p99 < 100, `${process.latency.p99} ms`)
    server.takes = (command) => (command === 'insert' ? clock.sleep(200) : Promise.resolve())
    await append(commitOf('b'))
    assert.equal(process.latency.p99, 200)
  })

  it('is refused where the database refuses it for good, it alone', async () => {
    server.forbids = ({ e }) => e.some(({ s }: { s: string }) => s === 'Thing:bad')
    const batch = await append(commitOf('a'), commitOf('b', { stream: 'Thing:bad' }), commitOf('c'))
    assert.deepEqual(
      batch.map(({ code }) => code),
      [undefined, 'STORE_REFUSED', undefined],
    )
  })

  for (const [command, code] of [
    ['findAndModify', 'STORE_REFUSED'],
    ['insert', 'STORE_REFUSED'],
  ] as const) {
    it(`is refused at once where the database user has no right to ${command}`, async () => {
      server.fateOf = (name) => (name === command ? 'unauthorized' : 'answered')
      const began = clock.monotonic()
      assert.equal((await append(commitOf('a')))[0]?.code, code)
      assert.ok(clock.monotonic() - began < 100)
    })
  }

  it('is found out where the look at who holds its claim is lost, and is not called unknown', async () => {
    await append(commitOf('holder', once('code')))
    let lost = 3
    server.fateOf = (name, { filter }) => (name === 'find' && filter?.k && lost-- > 0 ? 'lost' : 'answered')
    assert.equal((await append(commitOf('a', once('code'))))[0]?.code, 'ALREADY_CLAIMED')
    assert.equal(lost, -1)
  })

  it('asks a server that refuses to tell with pauses, until it tells', async () => {
    server.fateOf = (
      (fates: Fate[]) => (name) =>
        name === 'findAndModify' ? 'answered' : (fates.shift() ?? 'unauthorized')
    )(['answer lost'])
    assert.equal((await append(commitOf('a', { stream: 'Thing:a' })))[0]?.code, 'OUTCOME_UNKNOWN')
    server.commands.length = 0
    await clock.advance(60_000)
    assert.ok(server.commands.length >= 10 && server.commands.length <= 60, `${server.commands.length} commands`)
    server.fateOf = () => 'answered'
    await clock.advance(6_000)
    assert.equal((await append(commitOf('next', { stream: 'Thing:a' })))[0]?.code, undefined)
  })

  describe('while the disk of the server has no room for eight batches of unknown outcome', () => {
    const BATCHES = 8
    beforeEach(async () => {
      server.fateOf = (name) => (name === 'insert' ? 'disk full' : 'answered')
      for (let batches = 0; batches < BATCHES; batches++)
        assert.equal((await append(commitOf('a')))[0]?.code, 'OUTCOME_UNKNOWN')
      await clock.advance(60_000) // their pauses are the longest now
    })

    it('is refused at once, alone and with others, and nothing of it is stored', async () => {
      const began = clock.monotonic()
      const refused = rejectsWith('STORE_UNAVAILABLE', () => process.store.append(commitOf('b')))
      await clock.advance(5)
      assert.match((await refused).message, /the disk of the MongoDB server is full \(no space left\)/)
      const same = { stream: 'Thing:same' }
      const batch = await append(...Array.from({ length: 20 }, (_, n) => commitOf('c', n % 2 ? same : {})))
      assert.deepEqual([...new Set(batch.map(({ code }) => code))], ['STORE_UNAVAILABLE'])
      assert.ok(clock.monotonic() - began < 100)
    })

    it('asks whether there is room with one batch at a time', async () => {
      server.commands.length = 0
      await Promise.all(Array.from({ length: 20 }, () => append(commitOf('b'))))
      assert.ok(inserts() <= 2, `${inserts()} inserts`)
      assert.ok(!server.commands.includes('findAndModify'))
    })

    it('is stored at once when there is room, and all outcomes are found out', async () => {
      server.fateOf = () => 'answered'
      const began = clock.monotonic()
      assert.equal((await append(commitOf('b')))[0]?.code, undefined)
      assert.ok(clock.monotonic() - began < 100)
      await clock.advance(100)
      assert.equal(log(), `${'-'.repeat(BATCHES)}c`)
    })

    it('is stored when there is room, whatever was answered to a question from before it came', async () => {
      let asked = 0
      server.takes = async (name) => {
        if (name !== 'insert') return
        asked += 1
        if (asked === 1) await clock.sleep(1_000)
      }
      server.fateOf = (name) => (name === 'insert' && asked <= 1 ? 'disk full' : 'answered')
      const early = process.append(commitOf('b'))
      await clock.advance(100)
      assert.equal(asked, 1)
      const late = process.append(commitOf('c'))
      await clock.advance(1_000)
      answered.push(await early, await late)
      assert.deepEqual(
        answered.slice(-2).map(({ code }) => code),
        ['STORE_UNAVAILABLE', undefined],
      )
    })

    it('is refused with those that waited for one of the batches, when that has no room either', async () => {
      server.fateOf = () => 'answered'
      await clock.advance(10_000)
      server.fateOf = (name) => (name === 'insert' ? 'disk full' : 'answered')
      for (let batches = 1; batches < BATCHES; batches++) await append(commitOf('a'))
      server.takes = (name) => (name === 'insert' ? clock.sleep(1_000) : Promise.resolve())
      const last = process.append(commitOf('a'))
      await clock.advance(100)
      const waiting = process.append(commitOf('b'))
      await clock.advance(4_000)
      answered.push(await last, await waiting)
      const codes = answered.slice(-2).map(({ code }) => code)
      assert.deepEqual(codes, ['OUTCOME_UNKNOWN', 'STORE_UNAVAILABLE'])
    })
  })

  it('tries with pauses what an index refuses that nobody can name', async () => {
    server.refuses = ({ e }) => e.length > 0
    const refused = process.append(commitOf('a'))
    await clock.advance(9_100)
    assert.equal((await refused).code, 'STORE_UNAVAILABLE')
    const tries = server.commands.filter((command) => command === 'findAndModify').length
    assert.ok(tries >= 8 && tries <= 20, `${tries} tries in nine seconds`)
    server.refuses = () => false
  })

  it('is unknown at once where the server refuses to tell', async () => {
    plan('insert', 'answer lost', 'unauthorized')
    server.fateOf = (
      (fates: Fate[]) => (name) =>
        name === 'findAndModify' ? 'answered' : (fates.shift() ?? 'answered')
    )(['answer lost', 'lost', 'unauthorized'])
    const began = clock.monotonic()
    assert.equal((await append(commitOf('a')))[0]?.code, 'OUTCOME_UNKNOWN')
    assert.ok(clock.monotonic() - began < 1_000)
  })

  for (const [what, fateOf, code] of [
    [
      'may have been stored',
      (name: string): Fate => (name === 'findAndModify' ? 'answered' : name === 'insert' ? 'answer lost' : 'lost'),
      'OUTCOME_UNKNOWN',
    ],
    [
      'was sent and did not arrive',
      (name: string): Fate => (name === 'findAndModify' ? 'answered' : 'lost'),
      'OUTCOME_UNKNOWN',
    ],
    ['was not sent', (): Fate => 'lost', 'STORE_UNAVAILABLE'],
  ] as const) {
    it(`is answered within nine seconds though the server is away: ${code} where it ${what}`, async () => {
      server.fateOf = fateOf
      const began = clock.monotonic()
      const took = [0, 3_000].map(async (afterMs) => {
        await clock.sleep(afterMs)
        const answer = await process.append(commitOf('a', { stream: `Thing:${afterMs}` }))
        return [answer.code, clock.monotonic() - began - afterMs]
      })
      await clock.advance(13_000)
      for (const [told, ms] of await Promise.all(took)) {
        assert.equal(told, code)
        assert.ok(Number(ms) >= 9_000 && Number(ms) <= 9_100, `${ms} ms`)
      }
      server.fateOf = () => 'answered'
      await clock.advance(10_000)
      for (const afterMs of [0, 3_000])
        assert.equal((await append(commitOf('next', { stream: `Thing:${afterMs}` })))[0]?.code, undefined)
      assert.equal(log().replaceAll('-', ''), what === 'may have been stored' ? 'cccc' : 'cc')
    })
  }

  for (const [what, failing, code, said] of [
    ['positions', ['findAndModify'], 'STORE_UNAVAILABLE', 'MongoDB fails (not primary): nothing was stored'],
    ['the insert and every tombstone', ['insert'], 'OUTCOME_UNKNOWN', 'MongoDB did not answer in time: not primary'],
    ['the insert and every look', ['insert', 'find'], 'OUTCOME_UNKNOWN', 'MongoDB did not answer in time: not primary'],
  ] as const) {
    it(`is told the error, and has it as its cause, where the server answers ${what} with one for nine seconds`, async () => {
      server.fateOf = (name) => (failing.some((each) => each === name) ? 'not primary' : 'answered')
      const refused = rejectsWith(code, () => process.store.append(commitOf('a')))
      await clock.advance(9_100)
      const { message, cause } = await refused
      assert.ok(message.includes(said), message)
      assert.ok(cause instanceof MongoServerError && cause.code === 10107)
    })
  }

  it('that nobody waits for any more is not stored: its caller was told so', async () => {
    for (let inserts = 0; inserts < 10; inserts++) process.latency.record(1_000)
    const silent = await twoSilent()
    await clock.advance(100)
    const early = process.append(commitOf('early', { stream: 'Thing:early' }))
    await clock.advance(3_800)
    const late = process.append(commitOf('late'))
    server.fateOf = (name) => (name === 'findAndModify' ? 'lost' : 'answered')
    await clock.advance(6_000)
    server.fateOf = () => 'answered'
    await clock.advance(5_000)
    answered.push(await early, await late, ...(await Promise.all(silent)))
    assert.deepEqual(
      answered.slice(0, 2).map(({ code }) => code),
      ['STORE_UNAVAILABLE', undefined],
    )
    assert.ok(!server.documents.some(({ s: streams }) => streams.includes('Thing:early')))
  })

  it('that was proven not to be stored, and could not be sent again, is told so', async () => {
    server.fateOf = (
      (fates: Fate[]) => (name) =>
        name === 'find' ? 'answered' : (fates.shift() ?? 'lost')
    )(['answered', 'lost', 'answered'])
    assert.equal((await append(commitOf('a')))[0]?.code, 'STORE_UNAVAILABLE')
  })

  it('keeps one timer for all that wait', async () => {
    server.fateOf = () => 'lost'
    const waiting = Array.from({ length: 100 }, () => process.append(commitOf('a')))
    await clock.advance(1_000)
    assert.ok(clock.pending < 10, `${clock.pending} timers`)
    await clock.advance(9_000)
    await Promise.all(waiting)
  })

  describe('with a version', () => {
    const version = (n: number): ReturnType<typeof commitOf> => commitOf(`v${n}`, { stream: 'Thing:v', version: n })

    it('needs the one before it', async () => {
      await append(version(1))
      assert.equal((await append(version(3)))[0]?.code, 'CONCURRENCY')
      assert.equal((await append(version(2)))[0]?.code, undefined)
      assert.equal((await append(version(2)))[0]?.code, 'CONCURRENCY')
    })

    it('waits for the one before it while no majority has that, and is refused where that is undone', async () => {
      for (const [fate, code] of [
        ['no majority', undefined],
        ['rolled back', 'CONCURRENCY'],
      ] as const) {
        server = new ServerInMemory()
        process = new LogProcess(server, clock)
        answered = []
        const other = new LogProcess(server, clock)
        server.fateOf = (name) => (name === 'insert' ? fate : name === 'find' ? 'lost' : 'answered')
        const first = other.append(version(1))
        await clock.advance(9_100)
        server.fateOf = () => 'answered'
        assert.equal((await first).code, 'OUTCOME_UNKNOWN')
        await other.stop()
        const second = process.append(version(2))
        await clock.advance(9_000)
        answered.push(await second)
        assert.equal(answered[0]?.code, code, fate)
      }
    })

    it('is answered within nine seconds where the one before it cannot be looked up', async () => {
      await append(version(1))
      server.fateOf = () => 'lost'
      const began = clock.monotonic()
      assert.equal((await append(version(2)))[0]?.code, 'STORE_UNAVAILABLE')
      assert.ok(clock.monotonic() - began <= 9_100)
    })

    it('is refused where the database user may not look', async () => {
      await append(version(1))
      server.fateOf = (name) => (name === 'find' ? 'unauthorized' : 'answered')
      assert.equal((await append(version(2)))[0]?.code, 'STORE_REFUSED')
    })
  })

  describe('while the store is closed', () => {
    it('is refused', async () => {
      await process.stop()
      assert.equal((await append(commitOf('a')))[0]?.code, 'STORE_CLOSED')
    })

    it('is waited for while it looks for the one before it, the slowest too', async () => {
      const version = (stream: string, n: number): ReturnType<typeof commitOf> =>
        commitOf(stream, { stream, version: n })
      await append(version('Thing:v', 1), version('Thing:w', 1))
      const takesMs = [100, 1_000]
      server.takes = (command) => (command === 'find' ? clock.sleep(takesMs.shift() ?? 0) : Promise.resolve())
      const appends = [process.append(version('Thing:v', 2)), process.append(version('Thing:w', 2))]
      let isClosed = false
      const closing = process.stop().then((unknown) => {
        isClosed = true
        return unknown
      })
      await clock.advance(900)
      assert.equal(isClosed, false)
      await clock.advance(9_000)
      answered.push(...(await Promise.all(appends)))
      assert.deepEqual(
        answered.map(({ code }) => code),
        [undefined, undefined, undefined, undefined],
      )
      assert.equal(await closing, 0)
    })

    for (const [command, unknown] of [
      ['insert', 1],
      ['findAndModify', 0],
    ] as const) {
      it(`is given up: ${unknown} of unknown outcome, whose ${command} is not answered`, async () => {
        server.fateOf = (name) => (name === command || name === 'find' ? 'lost' : 'answered')
        const lost = process.append(commitOf('a'))
        await clock.advance(9_100)
        await lost
        assert.equal(await process.stop(), unknown)
        await clock.advance(10_000)
        const commands = server.commands.length
        await clock.advance(60_000)
        assert.equal(server.commands.length, commands, 'nobody goes on')
        assert.equal(clock.pending, 0)
        process = new LogProcess(server, clock)
      })
    }
  })

  it('is refused at once while 20,000 wait', async () => {
    server.fateOf = () => 'late'
    const waiting: Promise<Appending>[] = []
    for (const count of [1, 1, 20_000]) {
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

  it('is refused alike where the index refuses tombstones as well', async () => {
    server.indexes = [{ name: 'mine', key: { at: 1 }, unique: true }]
    server.refuses = () => true
    const refused = process.append(commitOf('a'))
    await clock.advance(8_000)
    assert.equal((await refused).code, 'STORE_REFUSED')
    server.refuses = () => false
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

    for (const [fate, code] of [
      ['answer lost', 'OUTCOME_UNKNOWN'],
      ['answered', 'STORE_UNAVAILABLE'],
    ] as const) {
      it(`is ${code} after nine seconds where the command is ${fate} and the server is away then`, async () => {
        if (fate === 'answered') server.skipPosition()
        server.fateOf = (name) => (name === 'bulkWrite' ? fate : 'lost')
        assert.equal((await append(commitOf('a')))[0]?.code, code)
        assert.equal(server.documents.length, fate === 'answered' ? 1 : 2)
      })
    }

    it('allocates while another batch is in flight', async () => {
      plan('bulkWrite', 'late')
      const first = process.append(commitOf('first'))
      await clock.advance(300)
      await append(commitOf('other'))
      assert.deepEqual(server.commands, ['bulkWrite', 'findAndModify', 'insert'])
      await clock.advance(9_000)
      answered.push(await first)
    })

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
    const { first, size } = (await positions.allocate(2, () => true)) ?? {}
    assert.deepEqual([first, size], [3, 2])
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
    const { first, size } = (await positions.allocate(1, () => true)) ?? {}
    assert.deepEqual([first, size], [8, 1])
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
