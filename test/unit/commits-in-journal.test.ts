import assert from 'node:assert/strict'
import fc from 'fast-check'
import { CommitsInJournal } from '../../adapters/file/commits-in-journal.ts'
import { FileJournal } from '../../adapters/file/file-journal.ts'
import { encodeHeader } from '../../adapters/file/journal-format.ts'
import { JournalReader } from '../../adapters/file/journal-reader.ts'
import { type Commits, CommitsInMemory } from '../../adapters/memory/commits.ts'
import { MemoryEventStore } from '../../adapters/memory/index.ts'
import type { Entry, StoredCommit } from '../../adapters/memory/journal.ts'
import { StoreUnavailableError } from '../../lib/errors.ts'
import type { Commit } from '../../lib/log/commit.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { commitTo, range } from '../contract/event-store/log-under-test.ts'
import { DiskInMemory } from '../support/disk-in-memory.ts'
import { FakeClock } from '../support/fake-clock.ts'

function commitAt(position: number, textBytes: number = 100): StoredCommit {
  const events = [{ stream: `Thing:${position}`, type: 'stored', data: { text: 'ü'.repeat(textBytes / 2) } }]
  return { position, id: `id-${position}`, events, meta: {}, at: 1, claims: [`o:${position}`] }
}

function seen({ claims: _, ...commit }: StoredCommit): object {
  return commit
}

/** A disk that counts what is read of it. */
class CountingDisk extends DiskInMemory {
  readonly reads: number[] = []
  hangs = false
  failRead: Error | undefined

  /** As the system does: it waits for what is being read. */
  override async close(): Promise<void> {
    if (this.hangs) await new Promise(() => {})
  }

  override async read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ bytesRead: number }> {
    this.reads.push(length)
    if (this.failRead) throw this.failRead
    if (this.hangs) return new Promise(() => {})
    return super.read(buffer, offset, length, position)
  }
}

interface Opened {
  readonly disk: CountingDisk
  readonly commits: CommitsInJournal
  readonly journal: FileJournal
  readonly clock: FakeClock
}

/** A journal with these batches of entries, as the store has it that wrote them, or one that has opened it since. */
async function journalWith(batches: readonly (readonly Entry[])[], isReopened: boolean): Promise<Opened> {
  const { line, end } = encodeHeader('a-journal')
  const disk = new CountingDisk(line)
  const clock = new FakeClock()
  const writer = new CommitsInJournal('journal.log', disk, clock)
  const journal = new FileJournal(disk, writer)
  journal.continueAt(end)
  for (const batch of batches) {
    for (const entry of batch) if (entry.kind === 'commit') writer.add(entry.commit, 200)
    await journal.write(batch)
  }
  if (!isReopened) return { disk, commits: writer, journal, clock }
  const commits = new CommitsInJournal('journal.log', disk, clock)
  const reader = new JournalReader('journal.log', commits)
  async function* chunks(): AsyncGenerator<Buffer> {
    yield disk.contents
  }
  for await (const _ of reader.entries(chunks()));
  const again = new FileJournal(disk, commits)
  again.continueAt(reader.end)
  return { disk, commits, journal: again, clock }
}

function entriesOf(commits: readonly StoredCommit[]): Entry[] {
  return commits.map((commit) => ({ kind: 'commit', commit }))
}

const other: Entry = { kind: 'consumer', record: { name: 'planner', token: 1, beat: 2, position: 1 } }

describe('a subscription to commits that must be read', () => {
  class UnreadableCommits implements Commits {
    readonly #commits = new CommitsInMemory()
    isAway = false
    /** What reading waits for. */
    obstacle: Promise<void> = Promise.resolve()

    add(commit: StoredCommit): void {
      this.#commits.add(commit)
    }

    async at(positions: readonly number[]): Promise<Commit[]> {
      await this.obstacle
      if (this.isAway) throw new StoreUnavailableError('the disk does not answer')
      return this.#commits.at(positions)
    }

    stored(positions: readonly number[]): StoredCommit[] {
      return this.#commits.stored(positions)
    }

    forget(positions: readonly number[]): void {
      this.#commits.forget(positions)
    }
  }

  it('goes on a second after they could not be read', async () => {
    const clock = new FakeClock()
    const commits = new UnreadableCommits()
    const store = new MemoryEventStore({ clock, commits })
    const { id } = await store.append(commitTo('a'))
    commits.isAway = true
    const follower = new Follower(store, 0)
    await clock.advance(5_000)
    assert.deepEqual(follower.ids, [])
    commits.isAway = false
    await clock.advance(1_000)
    assert.deepEqual(follower.ids, [id])
    await follower.stop()
    await store.close()
  })

  for (const how of ['closed', 'told to end']) {
    it(`ends, and yields nothing more, when it is ${how} while they are read`, async () => {
      const commits = new UnreadableCommits()
      const store = new MemoryEventStore({ commits })
      await store.append(commitTo('a'))
      let read = (): void => {}
      commits.obstacle = new Promise((resolve) => {
        read = resolve
      })
      const follower = new Follower(store, 0)
      const ending = how === 'closed' ? store.close() : follower.stop()
      read()
      await ending
      await follower.ended
      assert.deepEqual(follower.ids, [])
      await store.close()
    })
  }
})

describe('the commits of a journal', () => {
  it('are those that were written, in any order, by whoever wrote or opened it', async () => {
    const batch = fc.array(fc.constantFrom('commit', 'large commit', 'other'), { minLength: 1, maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(batch, { maxLength: 6 }),
        fc.boolean(),
        fc.array(fc.nat()),
        async (kinds, isReopened, picks) => {
          let position = 0
          const batches = kinds.map((batch) =>
            batch.map((kind): Entry => {
              if (kind === 'other') return other
              return { kind: 'commit', commit: commitAt(++position, kind === 'commit' ? 100 : 40_000) }
            }),
          )
          const written = batches.flat().flatMap((entry) => (entry.kind === 'commit' ? [entry.commit] : []))
          const { commits } = await journalWith(batches, isReopened)
          const wanted = position === 0 ? [] : picks.map((pick) => 1 + (pick % position))
          for (const isPassing of [true, false, false])
            assert.deepEqual(
              await commits.at(wanted, isPassing),
              wanted.map((at) => seen(written[at - 1] as StoredCommit)),
            )
        },
      ),
    )
  })

  it('are not read again when they were just written, or just read', async () => {
    const { disk, commits } = await journalWith([entriesOf(range(20).map((n) => commitAt(n + 1)))], false)
    await commits.at([3, 17], false)
    assert.deepEqual(disk.reads, [])
    const { disk: later, commits: reopened } = await journalWith(
      [entriesOf(range(20).map((n) => commitAt(n + 1)))],
      true,
    )
    await reopened.at([3, 17], false)
    assert.equal(later.reads.length, 1)
    await reopened.at([17, 3], false)
    assert.equal(later.reads.length, 1)
  })

  it('that follow each other are read at once, a megabyte at a time; what lies far between is not', async () => {
    const large = range(100).map((n) => commitAt(n + 1, 40_000))
    const { disk, commits } = await journalWith(
      large.map((commit) => entriesOf([commit])),
      true,
    )
    await commits.at(
      range(100).map((n) => n + 1),
      true,
    )
    assert.ok(disk.reads.length <= 5, `${disk.reads.length} reads`)
    assert.ok(Math.max(...disk.reads) <= 1.1 * 1024 * 1024)
    disk.reads.length = 0
    await commits.at([1, 51, 100], true)
    assert.equal(disk.reads.length, 3)
    assert.ok(Math.max(...disk.reads) <= 41_000)
  })

  it('are kept until they are in the file, and then as many as fit into 16 MB', async () => {
    const large = range(60).map((n) => commitAt(n + 1, 500_000))
    const { disk, commits, journal } = await journalWith([entriesOf([large[0] as StoredCommit])], false)
    for (const commit of large.slice(1)) commits.add(commit, 500_000)
    await journal.write(entriesOf(large.slice(1)))
    const newest = range(30).map((n) => 60 - n)
    for (const isPassing of [true, false]) await commits.at(newest, isPassing)
    assert.deepEqual(disk.reads, [], 'all of them were kept')
    const all = range(60).map((n) => n + 1)
    assert.deepEqual(await commits.at(all, false), large.map(seen))
    disk.reads.length = 0
    for (const position of all) await commits.at([position], true)
    assert.ok(disk.reads.length >= 25, 'more were kept than fit')
  })

  it('that changed in the file since it was opened are JOURNAL_CORRUPT, and the others are not', async () => {
    const written = range(3).map((n) => commitAt(n + 1))
    const { disk, commits } = await journalWith(
      written.map((commit) => entriesOf([commit])),
      true,
    )
    disk.contents.write('?', disk.contents.indexOf('Thing:2'))
    const error = await rejectsWith('JOURNAL_CORRUPT', async () => commits.at([2], false))
    assert.match(error.message, /^journal\.log: the commit of position 2, at byte \d+, is not what it was/)
    assert.deepEqual(await commits.at([1, 3], false), [
      seen(written[0] as StoredCommit),
      seen(written[2] as StoredCommit),
    ])
  })

  it('that were cut off the file since are JOURNAL_CORRUPT', async () => {
    const { disk, commits } = await journalWith([entriesOf([commitAt(1), commitAt(2)])], true)
    await disk.truncate(disk.contents.length - 30)
    await rejectsWith('JOURNAL_CORRUPT', async () => commits.at([2], false))
  })

  it('that the disk never answered keep nobody from closing', async () => {
    const { disk, commits, journal, clock } = await journalWith([entriesOf([commitAt(1)])], true)
    disk.hangs = true
    const reading = rejectsWith('STORE_UNAVAILABLE', async () => commits.at([1], false))
    const closing = journal.close()
    await clock.advance(9_000)
    await reading
    await closing
  })

  it('are STORE_UNAVAILABLE while the disk hangs for nine seconds, or fails, and are there when it is back', async () => {
    const { disk, commits, clock } = await journalWith([entriesOf([commitAt(1)])], true)
    disk.hangs = true
    const reading = rejectsWith('STORE_UNAVAILABLE', async () => commits.at([1], false))
    await clock.advance(9_000)
    await reading
    disk.hangs = false
    disk.failRead = new Error('EIO: i/o error, read')
    const error = await rejectsWith('STORE_UNAVAILABLE', async () => commits.at([1], false))
    assert.equal(error.message, 'journal.log cannot be read: EIO: i/o error, read')
    disk.failRead = undefined
    assert.deepEqual(await commits.at([1], false), [seen(commitAt(1))])
  })
})
