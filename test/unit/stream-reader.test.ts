import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import { SchemaNewerError, StoreUnavailableError } from '../../lib/errors.ts'
import type { Commit } from '../../lib/index.ts'
import type { NewestCommits } from '../../lib/provider/look-up.ts'
import { StreamReader } from '../../lib/provider/stream-reader.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { Gate } from '../support/gate.ts'
import { interceptReads } from '../support/reads.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('the reader of streams', () => {
  let store: MemoryEventStore
  let clock: FakeClock
  let reader: StreamReader
  /** The streams of each command. */
  let commands: (readonly string[])[]

  beforeEach(() => {
    store = new MemoryEventStore()
    clock = new FakeClock()
    reader = new StreamReader(store, clock)
    commands = []
    interceptReads(store, (streams, read) => {
      commands.push(streams)
      return read()
    })
  })

  afterEach(() => store.close())

  async function write(...streams: string[]): Promise<void> {
    await store.append({ events: streams.map((stream) => ({ stream, type: 'stored', data: {} })) })
  }

  const one = (name: string, wanted = 2): Promise<NewestCommits> => reader.newest({ names: [name], wanted, room: 4 })
  const positions = ({ commits }: { commits: readonly Pick<Commit, 'position'>[] }): number[] =>
    commits.map(({ position }) => position)

  it('looks things up with one command that are wanted in the same turn, and each thing once', async () => {
    await write('a', 'b')
    const found = await Promise.all([one('a'), one('b'), one('a'), one('c')])
    assert.deepEqual(found.map(positions), [[1], [1], [1], []])
    assert.deepEqual(commands, [['a', 'b', 'c']])
  })

  for (const count of [1, 100, 1_000]) {
    it(`has two commands under way at a time: ${count} look-ups that come meanwhile join the next`, async () => {
      const answers = new Gate()
      answers.shut()
      interceptReads(store, async (_, read) => {
        await answers.pass()
        return read()
      })
      const first = [one('a')]
      await turn()
      first.push(one('b'))
      await turn()
      const later = Array.from({ length: count }, (_, n) => one(`later-${n}`))
      await turn()
      assert.deepEqual(commands, [])
      answers.open()
      await Promise.all([...first, ...later])
      assert.equal(commands.length, 2 + Math.ceil(count / 250))
    })
  }

  it('does not let others wait for a command that is not answered', async () => {
    const answers = new Gate()
    answers.shut()
    interceptReads(store, async (streams, read) => {
      if (streams.some((name) => name.startsWith('silent'))) await answers.pass()
      return read()
    })
    const silent = [one('silent 1')]
    await turn()
    silent.push(one('silent 2'))
    await turn()
    let answered = false
    const other = one('other').then(() => {
      answered = true
    })
    await turn()
    await turn()
    assert.equal(answered, false, 'it waits for one of the two')
    await clock.advance(100)
    await other
    answers.open()
    await Promise.all(silent)
  })

  it('answers each within its own time while the store hangs, however many came before', async () => {
    const HANGS_MS = 8_000
    interceptReads(store, async () => {
      await clock.sleep(HANGS_MS)
      throw new StoreUnavailableError('no answer')
    })
    const waits: number[] = []
    for (let n = 0; n < 2_000; n++) {
      const since = clock.monotonic()
      void one(`${n}`).catch(() => waits.push(clock.monotonic() - since))
      if (n % 5 === 0) await clock.advance(10)
    }
    await clock.advance(2 * HANGS_MS)
    assert.equal(waits.length, 2_000)
    assert.ok(Math.max(...waits) <= HANGS_MS + 200, `${Math.max(...waits)} ms`)
  })

  it('looks up alone what has turned out to be long, and never together with others again', async () => {
    for (let n = 0; n < 10; n++) await write('long')
    await write('short')
    const before = await Promise.all([one('long'), one('short')])
    assert.deepEqual(before.map(positions)[1], [11])
    commands.length = 0
    const after = await Promise.all([one('long'), one('short'), one('long')])
    assert.deepEqual(after.map(positions), [[9, 10], [11], [9, 10]])
    assert.deepEqual(commands, [['long'], ['short']])
  })

  it('finds what lies far below a long stream', async () => {
    await write('old')
    for (let n = 0; n < 100; n++) await write('long')
    const [long, old] = await Promise.all([one('long'), one('old')])
    assert.deepEqual(positions(long).slice(-2), [100, 101])
    assert.deepEqual([positions(old), old.complete], [[1], true])
  })

  it('has an error for those it was about', async () => {
    const newer = new SchemaNewerError('the commit at position 1', 2, 1)
    interceptReads(store, (streams, read) => (streams.includes('newer') ? Promise.reject(newer) : read()))
    const [found, refused] = await Promise.allSettled([one('a'), one('newer')])
    assert.equal(found.status, 'fulfilled')
    assert.equal(refused.status === 'rejected' && refused.reason, newer)
  })

  it('has an error of the store for all of a command', async () => {
    const away = new Error('away')
    interceptReads(store, () => Promise.reject(away))
    for (const answer of await Promise.allSettled([one('a'), one('b')]))
      assert.equal(answer.status === 'rejected' && answer.reason, away)
    assert.equal(commands.length, 0)
  })

  it('finds of each thing what a command of its own would', async () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd', 'e')
    const lookUp = fc
      .record({
        names: fc.uniqueArray(name, { minLength: 1, maxLength: 2 }),
        wanted: fc.integer({ min: 1, max: 4 }),
        more: fc.nat(3),
      })
      .map(({ names, wanted, more }) => ({ names, wanted, room: wanted + more }))
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uniqueArray(name, { minLength: 1, maxLength: 3 }), { maxLength: 40 }),
        fc.array(fc.array(lookUp, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 4 }),
        async (written, rounds) => {
          const log = new MemoryEventStore()
          const reader = new StreamReader(log, clock)
          for (const streams of written)
            await log.append({ events: streams.map((stream) => ({ stream, type: 'stored', data: {} })) })
          for (const lookUps of rounds) {
            const found = await Promise.all(lookUps.map((what) => reader.newest(what)))
            for (const [index, { names, wanted }] of lookUps.entries()) {
              const all = await log.readStreams(names)
              const { commits, complete } = found[index] as NewestCommits
              assert.deepEqual(commits, all.slice(all.length - commits.length))
              assert.ok(commits.length >= Math.min(wanted, all.length))
              assert.ok(!complete || commits.length === all.length)
            }
          }
          await log.close()
        },
      ),
      { numRuns: 300 },
    )
  })
})
