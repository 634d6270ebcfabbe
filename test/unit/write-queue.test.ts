import assert from 'node:assert/strict'
import { type Journal, JournalFullError, noJournal, type Rewriting } from '../../adapters/memory/journal.ts'
import { MemoryEventStore, type MemoryOptions } from '../../adapters/memory/memory-event-store.ts'
import { type Appended, silent } from '../../lib/index.ts'
import { rejectsWith } from '../contract/event-store/expect.ts'
import { Follower } from '../contract/event-store/follower.ts'
import { commitTo, range } from '../contract/event-store/log-under-test.ts'
import { FakeClock } from '../support/fake-clock.ts'

/** A journal whose writes end when they are told to. */
class SlowJournal implements Journal {
  readonly maxWriteMs = 9_000
  readonly writing: { end(): void; fail(error: Error): void }[] = []
  closed = false

  write(): Promise<void> {
    return new Promise((resolve, reject) => this.writing.push({ end: resolve, fail: reject }))
  }

  async close(): Promise<void> {
    this.closed = true
  }
}

describe('a disk that hangs', () => {
  let clock: FakeClock
  let journal: SlowJournal
  let store: MemoryEventStore

  beforeEach(() => {
    clock = new FakeClock()
    journal = new SlowJournal()
    store = new MemoryEventStore({ clock, journal })
  })

  it('keeps nobody waiting: what is being written is unknown, and nothing else is taken until it has ended', async () => {
    const written = store.append(commitTo('a'))
    await clock.scheduled()
    const queued = store.append(commitTo('b'))
    const answers = [rejectsWith('OUTCOME_UNKNOWN', () => written), rejectsWith('STORE_UNAVAILABLE', () => queued)]
    await clock.advance(9_000)
    const [unknown] = await Promise.all(answers)
    assert.match(unknown?.message ?? '', /the disk has not answered a write for 9 s/)
    await rejectsWith('STORE_UNAVAILABLE', () => store.append(commitTo('c')))
    assert.deepEqual(await store.read('a'), [], 'it is not durable')
    assert.equal(journal.writing.length, 1)
  })

  it('is served again as soon as it answers: what was unknown is there, and followers are told', async () => {
    const follower = new Follower(store, 0)
    const unknown = rejectsWith('OUTCOME_UNKNOWN', () => store.append(commitTo('a')))
    await clock.advance(9_000)
    await unknown
    journal.writing[0]?.end()
    const kept = await new Promise<string>((resolve) => {
      const look = async (): Promise<void> => {
        const [commit] = await store.read('a')
        if (commit) resolve(commit.id)
        else setImmediate(() => void look())
      }
      void look()
    })
    await follower.saw([kept])
    const next = store.append(commitTo('b'))
    await clock.scheduled()
    journal.writing[1]?.end()
    assert.equal((await next).position, 2)
    await follower.stop()
  })

  it('that fails in the end makes the store refuse everything', async () => {
    const unknown = rejectsWith('OUTCOME_UNKNOWN', () => store.append(commitTo('a')))
    await clock.advance(9_000)
    await unknown
    journal.writing[0]?.fail(new Error('EIO'))
    await clock.advance(0)
    await rejectsWith('STORE_REFUSED', () => store.append(commitTo('b')))
  })

  it('that fails ends what follows the log, and answers no reads: what is in memory may not be on it', async () => {
    const following = rejectsWith('STORE_REFUSED', async () => {
      for await (const _ of store.subscribe({ after: 0 }));
    })
    const unknown = rejectsWith('OUTCOME_UNKNOWN', () => store.append(commitTo('a')))
    await clock.scheduled()
    journal.writing[0]?.fail(new Error('EIO'))
    await Promise.all([unknown, following])
    for (const later of [
      () => store.read('a'),
      () => store.readAll({ after: 0, limit: 1 }),
      () => store.end(),
      () => store.consumers.get('c'),
      () => store.work('jobs').get('a'),
    ])
      await rejectsWith('STORE_REFUSED', async () => later())
  })

  it('lets the store be closed with an error, and the journal stays open: the write may still come', async () => {
    const unknown = rejectsWith('OUTCOME_UNKNOWN', () => store.append(commitTo('a')))
    await clock.scheduled()
    const closed = rejectsWith('STORE_UNAVAILABLE', () => store.close())
    await clock.advance(9_000)
    await Promise.all([unknown, closed])
    assert.equal(journal.closed, false)
  })

  it('that answers in time is not noticed', async () => {
    const written = store.append(commitTo('a'))
    await clock.scheduled()
    await clock.advance(8_999)
    journal.writing[0]?.end()
    assert.equal((await written).position, 1)
    assert.equal(clock.pending, 0)
    await store.close()
    assert.equal(journal.closed, true)
  })
})

describe('a disk that is slow', () => {
  for (const [limit, waiting, text] of [
    ['20,000 changes', 20_000, ''],
    ['128 MB', 17, 'x'.repeat(8_000_000)],
  ] as const) {
    it(`is waited for by ${limit} at most: more are refused, and accepted when some were stored`, async () => {
      const journal = new SlowJournal()
      const store = new MemoryEventStore({ clock: new FakeClock(), journal, logger: silent })
      const append = (): Promise<Appended> => store.append(commitTo('a', { data: { text } }))
      const writing = append()
      await new Promise(setImmediate)
      const queued = range(waiting).map(append)
      for (const refused of [append, () => store.consumers.ensure('reader', 0)]) {
        const { message } = await rejectsWith('STORE_UNAVAILABLE', refused)
        assert.match(message, /too many changes wait for the disk: nothing was stored/)
      }
      journal.writing[0]?.end()
      await writing
      await new Promise(setImmediate)
      queued.push(append())
      for (let n = 1; n <= queued.length && journal.writing[n]; n++) {
        journal.writing[n]?.end()
        await new Promise(setImmediate)
      }
      assert.equal((await Promise.all(queued)).at(-1)?.position, waiting + 2)
      await store.close()
    })
  }
})

/** One that is to be written anew, which waits at its flush for `goOn`. */
class RenewedJournal extends SlowJournal {
  readonly size = { bytes: 1, commits: 1 }
  goOn = (): void => {}

  async rewrite(): Promise<Rewriting> {
    const flushed = new Promise<void>((resolve) => {
      this.goOn = resolve
    })
    return { ...noJournal, flush: () => flushed, async finish() {}, async abandon() {} }
  }
}

class RenewedStore extends MemoryEventStore {
  constructor(options: MemoryOptions) {
    super(options)
    this.compactFrom([])
  }
}

describe('what waits for a pause between two writes', () => {
  let clock: FakeClock
  let journal: RenewedJournal
  let store: RenewedStore

  beforeEach(() => {
    clock = new FakeClock()
    journal = new RenewedJournal()
    store = new RenewedStore({ clock, journal, logger: silent })
  })

  /** A key is destroyed, for which the journal is to be written anew, while a write is under way. */
  async function destroyDuringWrite(): Promise<{
    readonly written: Promise<unknown>
    readonly destroyed: Promise<unknown>
  }> {
    const destroyed = store.accountKeys.destroy(['a key'], 1)
    await clock.advance(0)
    const written = store.append(commitTo('a'))
    await clock.scheduled()
    journal.goOn()
    await clock.advance(0)
    return { written, destroyed }
  }

  it('is refused when the disk becomes full meanwhile', async () => {
    const { written, destroyed } = await destroyDuringWrite()
    const answers = [rejectsWith('OUTCOME_UNKNOWN', () => written), rejectsWith('STORE_UNAVAILABLE', () => destroyed)]
    const full = new JournalFullError('ENOSPC')
    journal.writing[0]?.fail(full)
    await clock.advance(0)
    journal.writing[1]?.fail(full) // again, when the journal that was being written has gone
    const [, refused] = await Promise.all(answers)
    assert.match(String(refused?.cause), /the disk is full/)
    await clock.advance(1_000)
    journal.writing[2]?.end()
    await clock.advance(0)
    await store.close()
  })

  it('is refused when the write hangs', async () => {
    const { written, destroyed } = await destroyDuringWrite()
    const answers = [rejectsWith('OUTCOME_UNKNOWN', () => written), rejectsWith('STORE_UNAVAILABLE', () => destroyed)]
    await clock.advance(9_000)
    const [, refused] = await Promise.all(answers)
    assert.match(String(refused?.cause), /the disk has not answered/)
    journal.writing[0]?.end()
    await clock.advance(0)
    await store.close()
  })
})
