import assert from 'node:assert/strict'
import { EventStoreError } from '../../lib/index.ts'
import { commitOf } from '../support/appending.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { genuine, LogProcess } from '../support/log-process.ts'
import { type Fate, ServerInMemory } from '../support/server-in-memory.ts'

describe('a subscription on MongoDB', () => {
  let clock: FakeClock
  let server: ServerInMemory
  let writer: LogProcess
  let reader: LogProcess

  beforeEach(() => {
    clock = new FakeClock()
    server = new ServerInMemory()
    writer = new LogProcess(server, clock)
    reader = new LogProcess(server, clock)
  })

  afterEach(async () => {
    server.fateOf = () => 'answered'
    const stopped = Promise.all([writer.stop(), reader.stop()])
    await clock.advance(10_000)
    await stopped
  })

  async function append(count = 1): Promise<void> {
    const answers = Promise.all(Array.from({ length: count }, () => writer.append(commitOf('a'))))
    await clock.advance(0)
    for (const { code } of await answers) assert.equal(code, undefined)
  }

  const positions = ({ commits }: ReturnType<LogProcess['follow']>): number[] => commits.map(({ position }) => position)
  const tombstones = (): number[] => server.documents.filter(({ e }) => e.length === 0).map(({ _id }) => _id)
  const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

  it('delivers what is there and what comes, from behind its position, however much it is', async () => {
    await append(1_000)
    await append(300)
    const [whole, rest] = [reader.follow(0), reader.follow(1_299)]
    await clock.advance(0)
    assert.deepEqual(positions(whole), range(1, 1_300))
    await append()
    await clock.advance(2_000)
    assert.deepEqual([positions(whole).at(-1), positions(rest)], [1_301, [1_300, 1_301]])
  })

  it('hears at once of what its own process appends', async () => {
    const own = writer.follow(0)
    await clock.advance(5_000)
    await append()
    await clock.advance(0)
    assert.deepEqual(positions(own), [1])
  })

  it('reads nothing that its own process has appended behind what it has', async () => {
    const own = writer.follow(0)
    await append()
    await clock.advance(0)
    server.commands.length = 0
    for (let n = 0; n < 10; n++) await append()
    await clock.advance(0)
    assert.deepEqual(positions(own), range(1, 11))
    assert.ok(!server.commands.includes('find'), server.commands.join())
  })

  it('reads where another process has appended in between, each once and in order', async () => {
    const own = writer.follow(0)
    await append()
    const appended = reader.append(commitOf('b'))
    await clock.advance(0)
    await appended
    await append(3)
    await clock.advance(2_000)
    assert.deepEqual(positions(own), range(1, 5))
  })

  it('delivers what another process has appended behind its own, at the next look', async () => {
    const own = writer.follow(0)
    await append(2)
    const appended = reader.append(commitOf('b'))
    await clock.advance(0)
    await appended
    await clock.advance(100)
    assert.deepEqual(positions(own), range(1, 3))
  })

  it('delivers that at once beside a change stream too, which woke it for both together', async () => {
    const hinted = new LogProcess(server, clock, { isHinted: true })
    const own = hinted.follow(0)
    await clock.advance(1_000)
    const appended = hinted.append(commitOf('a')).then(() => reader.append(commitOf('b')))
    await clock.advance(0)
    await appended
    await clock.advance(100)
    assert.deepEqual(positions(own), [1, 2])
    const stopped = hinted.stop()
    await clock.advance(10_000)
    await stopped
  })

  it('delivers nothing behind a gap; one whose writer does not come it closes after a second, and no sooner', async () => {
    await append()
    assert.equal(server.skipPosition(), 2)
    await append()
    const following = reader.follow(0)
    await clock.advance(0)
    assert.deepEqual(positions(following), [1])
    await clock.advance(990)
    assert.deepEqual(tombstones(), [])
    await clock.advance(300)
    assert.deepEqual([positions(following), tombstones()], [[1, 3], [2]])
  })

  it('leaves a writer four times as long as inserts take, where they are slow', async () => {
    for (let inserts = 0; inserts < 10; inserts++) reader.latency.record(1_000)
    server.skipPosition()
    await append()
    const following = reader.follow(0)
    await clock.advance(3_900)
    assert.deepEqual([positions(following), tombstones()], [[], []])
    await clock.advance(500)
    assert.deepEqual([positions(following), tombstones()], [[2], [1]])
  })

  it('watches a gap that grows, or another one, from the beginning: their writers have their time as well', async () => {
    server.skipPosition()
    await append()
    const following = reader.follow(0)
    await clock.advance(900)
    assert.deepEqual(tombstones(), [])
    await clock.advance(400)
    assert.deepEqual([positions(following), tombstones()], [[2], [1]])
    server.skipPosition()
    await append()
    await clock.advance(1_100)
    server.skipPosition()
    await append()
    await clock.advance(600)
    assert.deepEqual(
      [positions(following), tombstones()],
      [
        [2, 4],
        [1, 3],
      ],
      'the second one is younger',
    )
    await clock.advance(1_000)
    assert.deepEqual(
      [positions(following), tombstones()],
      [
        [2, 4, 6],
        [1, 3, 5],
      ],
    )
  })

  it('takes what comes into the gap in time', async () => {
    const position = server.skipPosition()
    await append()
    const following = reader.follow(0)
    await clock.advance(500)
    const [document] = server.documents
    server.put(genuine({ ...document, _id: position, c: 'late' }))
    await clock.advance(1_500)
    assert.deepEqual(
      following.commits.map(({ id }) => id === 'late'),
      [true, false],
    )
    assert.deepEqual(tombstones(), [])
  })

  for (const before of [0, 499, 500]) {
    it(`closes a gap of thousands of positions, behind ${before} commits`, async () => {
      if (before > 0) await append(before)
      for (let skipped = 0; skipped < 1_200; skipped++) server.skipPosition()
      await append()
      const following = reader.follow(0)
      await clock.advance(3_000)
      assert.deepEqual(positions(following), [...range(1, before), before + 1_201])
      assert.deepEqual(tombstones(), range(before + 1, before + 1_200))
    })
  }

  it('begins at the floor, fills nothing at or below it, and jumps there when it is raised', async () => {
    await append(3)
    server.retire(2)
    const following = reader.follow(0)
    await clock.advance(0)
    assert.deepEqual(positions(following), [3])
    await append(3)
    server.retire(5)
    await clock.advance(3_000)
    assert.deepEqual([positions(following), tombstones()], [[3, 6], []])
  })

  for (const fate of ['no majority', 'rolled back'] as const) {
    it(`delivers nothing that no majority has (${fate})`, async () => {
      const following = reader.follow(0)
      server.fateOf = (name) => (name === 'insert' ? fate : 'answered')
      const appended = writer.append(commitOf('a'))
      await clock.advance(0)
      assert.deepEqual([server.documents.length, positions(following)], [1, []])
      server.fateOf = () => 'answered'
      server.catchUp()
      await clock.advance(9_000)
      const { position } = await appended
      assert.deepEqual(positions(following), [position])
    })
  }

  it('goes on where the server was away, and asks it no more than once a second', async () => {
    await append()
    const following = reader.follow(0)
    await clock.advance(0)
    server.fateOf = () => 'lost'
    await clock.advance(5_000)
    server.commands.length = 0
    await clock.advance(20_000)
    assert.ok(server.commands.length <= 22, `${server.commands.length} in twenty seconds`)
    server.fateOf = () => 'answered'
    await append()
    await clock.advance(2_500)
    assert.deepEqual(positions(following), [1, 2])
  })

  it('goes on where a foreign index refuses tombstones: it closes the gap once that is gone', async () => {
    server.skipPosition()
    await append()
    server.indexes = [{ name: 'mine', key: { at: 1 }, unique: true }]
    server.refuses = () => true
    const following = reader.follow(0)
    await clock.advance(10_000)
    assert.deepEqual(positions(following), [])
    server.refuses = () => false
    await clock.advance(3_000)
    assert.deepEqual([positions(following), tombstones()], [[2], [1]])
  })

  it('costs a command a second while nothing happens, however many there are', async () => {
    for (let followers = 0; followers < 5; followers++) reader.follow(0)
    await clock.advance(10_000)
    server.commands.length = 0
    await clock.advance(30_000)
    assert.ok(server.commands.length <= 32, `${server.commands.length} in thirty seconds`)
    const following = reader.follow(0)
    await append()
    await clock.advance(1_200)
    assert.deepEqual(positions(following), [1])
  })

  for (const [what, change, code] of [
    ['a newer version has written', { m: { v: 99 } }, 'SCHEMA_NEWER'],
    ['is no commit', { c: 7 }, 'COLLECTION_UNFIT'],
  ] as const) {
    it(`ends with ${code} at what ${what}`, async () => {
      await append(2)
      const [, second] = server.documents
      server.put(genuine({ ...second, _id: 3, c: 'third', ...change }))
      const following = reader.follow(0)
      await clock.advance(0)
      const error = await following.ended
      assert.ok(error instanceof EventStoreError)
      assert.equal(error.code, code)
      assert.deepEqual(positions(following), code === 'SCHEMA_NEWER' ? [1, 2] : [], 'what comes before it is delivered')
    })
  }

  it('waits for nothing when it is told to end, though the server hangs', async () => {
    server.fateOf = (): Fate => 'late'
    const following = reader.follow(0)
    await clock.advance(0)
    reader.stopFollowing()
    assert.equal(await following.ended, undefined)
  })
})
