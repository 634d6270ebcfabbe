import assert from 'node:assert/strict'
import type { FollowedLog } from '../../adapters/mongodb/followed-log.ts'
import type { Commit } from '../../lib/index.ts'
import { commitOf } from '../support/appending.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { genuine, LogProcess } from '../support/log-process.ts'
import { ServerInMemory } from '../support/server-in-memory.ts'

const MINUTE_MS = 60_000

describe('a log on MongoDB that is followed', () => {
  let clock: FakeClock
  let server: ServerInMemory
  let other: LogProcess
  let own: LogProcess
  let follower: FollowedLog
  /** What the listener was told. */
  let told: string[]

  beforeEach(() => {
    clock = new FakeClock()
    server = new ServerInMemory()
    other = new LogProcess(server, clock)
    own = new LogProcess(server, clock)
    told = []
    follower = follow()
  })

  afterEach(async () => {
    server.fateOf = () => 'answered'
    const stopped = Promise.all([other.stop(), own.stop()])
    await clock.advance(10_000)
    await stopped
  })

  function follow(): FollowedLog {
    return own.followLog({
      appended: ({ position }) => told.push(`own ${position}`),
      found: (commits) => told.push(...commits.map(({ position }) => `${position}`)),
      unreadable: (streams) => told.push(`unreadable ${streams.join()}`),
      startOver: () => told.push('start over'),
    })
  }

  /** Appends commits to a stream, in one batch. */
  async function append(by: LogProcess, stream = 'Thing:a', count = 1): Promise<void> {
    const answers = Promise.all(Array.from({ length: count }, () => by.append(commitOf(stream, { stream }))))
    await clock.advance(0)
    for (const { code } of await answers) assert.equal(code, undefined)
  }

  /** What is told while something is read. */
  async function read(...streams: string[]): Promise<{ told: string[]; found: number[]; isComplete: boolean }> {
    told.length = 0
    const reading = follower.read(streams, 16)
    await clock.advance(0)
    const { commits, isComplete } = await reading
    return { told: [...told], found: commits.map(({ position }: Commit) => position), isComplete }
  }

  async function started(): Promise<void> {
    await read('nothing')
    await clock.advance(0)
    assert.ok(follower.isFollowing)
  }

  const finds = async (work: () => Promise<unknown>): Promise<number> => {
    const before = server.commands.filter((command) => command === 'find').length
    await work()
    return server.commands.filter((command) => command === 'find').length - before
  }

  it('sends nothing of its own accord', async () => {
    await clock.advance(MINUTE_MS)
    assert.deepEqual(server.commands, [])
    await started()
    const sent = server.commands.length
    await clock.advance(10 * MINUTE_MS)
    assert.equal(server.commands.length, sent)
  })

  it('reads what is asked for while it begins to follow', async () => {
    await append(other)
    const { found } = await read('Thing:a')
    assert.deepEqual([found, follower.isFollowing], [[1], true])
  })

  it('tells of its own appends at once, and asks for others with one command, the one that reads', async () => {
    await started()
    await append(own, 'Thing:a', 2)
    assert.deepEqual(told, ['own 1', 'own 2'])
    await append(other, 'Thing:b')
    assert.equal(
      await finds(async () => assert.deepEqual(await read(), { told: ['3'], found: [], isComplete: true })),
      1,
    )
    await append(other, 'Thing:b')
    const both = { told: ['4'], found: [2, 1], isComplete: true }
    assert.equal(await finds(async () => assert.deepEqual(await read('Thing:a'), both)), 1)
    assert.deepEqual((await read()).told, [], 'each once')
  })

  it('gives each reader the whole answer where others read at the same time', async () => {
    await started()
    await append(other, 'Thing:a')
    const answers = Promise.all([follower.read(['Thing:a'], 16), follower.read([], 0), follower.read(['Thing:a'], 16)])
    await clock.advance(0)
    assert.deepEqual(
      (await answers).map(({ commits }) => commits.length),
      [1, 0, 1],
    )
    assert.deepEqual(told, ['1'])
  })

  it('asks for a position that was missing until it is there', async () => {
    await started()
    const missing = server.skipPosition()
    await append(other)
    assert.deepEqual((await read()).told, ['2'])
    assert.deepEqual((await read()).told, [])
    server.put(genuine({ ...(server.documents[0] as object), _id: missing, c: 'late' }))
    assert.deepEqual((await read()).told, ['1'])
    assert.deepEqual((await read()).told, [])
  })

  it('closes a position whose writer does not come, after a second and no sooner', async () => {
    await started()
    server.skipPosition()
    await append(other)
    await read()
    await clock.advance(900)
    await read()
    const tombstones = (): number => server.documents.filter(({ e }) => e.length === 0).length
    assert.equal(tombstones(), 0)
    await clock.advance(200)
    await read()
    await clock.advance(100)
    assert.equal(tombstones(), 1)
    assert.deepEqual((await read()).told, [])
  })

  it('knows of the positions that are missing when it begins', async () => {
    const missing = server.skipPosition()
    await append(other)
    await started()
    server.put(genuine({ ...(server.documents[0] as object), _id: missing, c: 'late' }))
    assert.deepEqual((await read()).told, ['1'])
  })

  it('starts over when there is another primary, and reads on', async () => {
    await started()
    await append(other, 'Thing:a')
    await read()
    told.length = 0
    server.failOver()
    assert.deepEqual([told, follower.isFollowing], [['start over'], false])
    assert.deepEqual(await read('Thing:a'), { told: [], found: [1], isComplete: true })
    await clock.advance(0)
    assert.ok(follower.isFollowing)
  })

  it('reads again what was asked for across a change of primary', async () => {
    await started()
    await append(other, 'Thing:a')
    server.answers = async () => {
      server.answers = async () => {}
      server.retire(1)
      server.failOver()
    }
    assert.deepEqual((await read('Thing:a')).found, [], 'what is there now, not what was there')
  })

  it('does not begin on what it has read before a change of primary', async () => {
    const before = server.commands.length
    server.answers = async (command) => {
      if (command === 'find' && server.commands.length === before + 3) server.failOver()
    }
    await read('Thing:a')
    assert.equal(follower.isFollowing, false)
    await clock.advance(1_100)
    await started()
  })

  it('catches up where much was appended, and starts over where too much was', async () => {
    await started()
    await append(other, 'Thing:a', 700)
    assert.equal(await finds(() => read()), 3)
    assert.equal(told.length, 700)
    await append(other, 'Thing:a', 1_000)
    await append(other, 'Thing:a', 1_000)
    const { told: last } = await read('Thing:b')
    assert.ok(last.length <= 1_001, 'no more is read for one look-up')
    assert.equal(last.at(-1), 'start over')
    await clock.advance(0)
    await started()
  })

  it('starts over where more positions are missing than it keeps in mind', async () => {
    await started()
    for (let n = 0; n < 3_000; n++) server.skipPosition()
    await append(own)
    assert.deepEqual([told, follower.isFollowing], [['start over'], false])
  })

  it('begins where thousands of positions are missing once they are closed', async () => {
    for (let n = 0; n < 6_000; n++) server.skipPosition()
    await append(other)
    await read('Thing:a')
    for (let waited = 0; !follower.isFollowing; waited += 500) {
      assert.ok(waited < MINUTE_MS)
      await clock.advance(500)
      await read('Thing:a')
    }
  })

  it('puts no tombstone at a position that is retired while it waits to begin', async () => {
    for (let n = 0; n < 6_000; n++) server.skipPosition()
    await append(other)
    await read('Thing:a')
    await clock.advance(500)
    server.retire(3_000)
    await clock.advance(5_000)
    assert.deepEqual(
      server.documents.filter(({ _id }) => _id <= 3_000),
      [],
    )
  })

  it('starts over where positions were retired while nothing was read', async () => {
    await started()
    await append(other, 'Thing:a', 3)
    await clock.advance(2 * MINUTE_MS)
    server.retire(3)
    await append(other, 'Thing:a')
    assert.deepEqual((await read()).told, ['start over'])
  })

  it('goes on after a pause in which nothing was retired', async () => {
    await started()
    await append(other, 'Thing:a', 3)
    clock.jumpWall(-10 * MINUTE_MS)
    assert.deepEqual((await read()).told, ['1', '2', '3'])
  })

  it('never puts a tombstone at a position that is retired', async () => {
    await started()
    server.skipPosition()
    await append(other)
    await read()
    server.retire(1)
    await clock.advance(2_000)
    await read()
    await clock.advance(1_000)
    assert.deepEqual([told, server.documents.map(({ _id }) => _id)], [['start over'], [2]])
  })

  it('says in which streams something lies that it cannot read', async () => {
    await started()
    await append(other, 'Thing:a')
    const [document] = server.documents
    server.put(genuine({ ...document, _id: 2, c: 'newer', m: { v: 99 } }))
    assert.deepEqual((await read()).told.sort(), ['1', 'unreadable Thing:a'])
    const reading = assert.rejects(follower.read(['Thing:a'], 16), { code: 'SCHEMA_NEWER' })
    await clock.advance(0)
    await reading
  })

  it('remembers in the database up to where positions were settled: the next one looks at no more than 5,000', async () => {
    await started()
    for (let n = 0; n < 7; n++) {
      await append(other, 'Thing:a', 1_000)
      await read()
      if (!follower.isFollowing) await started()
      await clock.advance(1_100)
    }
    await own.stop()
    own = new LogProcess(server, clock)
    follower = follow()
    let looked = 0
    server.onFound = (documents) => {
      looked += documents
    }
    await started()
    assert.ok(looked <= 5_000, `${looked} positions`)
  })

  it('is told nothing once it is closed', async () => {
    await started()
    follower.close()
    await append(own)
    server.failOver()
    assert.deepEqual(told, [])
  })
})
