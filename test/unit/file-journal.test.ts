import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { encodeBatch, encodeHeader, encodeLine } from '../../adapters/file/journal-format.ts'
import { JournalReader } from '../../adapters/file/journal-reader.ts'
import type { Entry } from '../../adapters/memory/journal.ts'
import { JournalCorruptError, SchemaNewerError } from '../../lib/errors.ts'
import type { JsonObject } from '../../lib/log/commit.ts'
import { range } from '../contract/event-store/log-under-test.ts'
import { anyCharacter } from '../support/any-character.ts'
import { newJournal, readJournal } from '../support/journal-in-memory.ts'

function commit(position: number, data: JsonObject = { n: position }): Entry {
  const events = [{ stream: `Session:é😀${position}`, type: 'stored', data }]
  return {
    kind: 'commit',
    commit: { position, id: `id-${position}`, events, meta: {}, at: 1, claims: [`o:${position}`] },
  }
}

const some: readonly Entry[] = [
  { kind: 'keys', fingerprints: { hashing: ['k1.abc'], sealing: ['s1.abc'] } },
  commit(1),
  { kind: 'consumer', record: { name: 'planner', holder: 'me', token: 1, beat: 2, position: 1 } },
  commit(2, { 'a.$b': 'a line\nfeed, a \0 and "quotes"' }),
  { kind: 'work', table: 'deliveries', work: { id: '2/0', lane: 'rp', dueAt: 5, body: {}, fence: 0 } },
  { kind: 'work_removed', table: 'deliveries', id: '2/0' },
  commit(3),
]

/** A journal with a batch for each entry. */
async function journalOf(entries: readonly Entry[]): Promise<Buffer> {
  const { file, journal } = newJournal()
  for (const entry of entries) await journal.write([entry])
  return file.contents
}

/** Where each line begins, and the end of the file. */
function lineStarts(bytes: Buffer): number[] {
  const starts = [0]
  for (let at = bytes.indexOf('\n'); at >= 0; at = bytes.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}

function assertCorrupt(error: unknown, line: number, offset: number): void {
  assert.ok(error instanceof JournalCorruptError, `JOURNAL_CORRUPT expected, not ${error}`)
  assert.ok(error.message.startsWith(`journal.log: line ${line}, at byte ${offset}, `), error.message)
}

const entriesOfAnyData = fc
  .array(
    fc.dictionary(fc.string({ unit: anyCharacter }), fc.jsonValue({ stringUnit: anyCharacter }), {
      noNullPrototype: true,
    }),
    {
      maxLength: 8,
    },
  )
  .map((list) => list.map((data, index) => commit(index + 1, JSON.parse(JSON.stringify(data)) as JsonObject)))

describe('a journal that is whole', () => {
  it('is read back as it was written, in pieces of any size', async () => {
    await fc.assert(
      fc.asyncProperty(entriesOfAnyData, fc.integer({ min: 1, max: 200 }), async (written, pieceBytes) => {
        const bytes = await journalOf(written)
        const { reader, entries, error } = await readJournal(bytes, pieceBytes)
        assert.equal(error, undefined)
        assert.deepEqual(entries, written)
        assert.equal(reader.torn, undefined)
        assert.equal(reader.end.offset, bytes.length)
      }),
    )
  })

  it('is continued where it ended', async () => {
    const { file, journal } = newJournal()
    for (const entry of some.slice(0, 3)) await journal.write([entry])
    const { reader } = await readJournal(file.contents)
    const next = newJournal()
    next.file.contents = file.contents
    next.journal.continueAt(reader.end)
    for (const entry of some.slice(3)) await next.journal.write([entry])
    assert.deepEqual(next.file.contents, await journalOf(some))
  })

  it('tells the keys that it was last written with', async () => {
    const keys = { hashing: ['k2.def', 'k1.abc'], sealing: ['s1.abc'] }
    const bytes = await journalOf([...some, { kind: 'keys', fingerprints: keys }])
    assert.deepEqual((await readJournal(bytes)).reader.keys, keys)
  })

  it('has a line for the header, for each batch and for each entry', async () => {
    assert.equal(lineStarts(await journalOf(some)).length - 1, 1 + 2 * some.length)
    const { file, journal } = newJournal()
    await journal.write(some)
    assert.equal(lineStarts(file.contents).length - 1, 2 + some.length)
  })
})

/** Without it, what is counted is what Node has not come to collect. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
}

describe('a journal that is larger than the memory', () => {
  const CHUNK = 1024 * 1024
  const CHUNKS = 200

  /** Reads what is generated and keeps no entry: how many there were, and how many bytes of buffers were held at most. */
  async function readAll(
    chunks: AsyncIterable<Buffer>,
  ): Promise<{ reader: JournalReader; count: number; held: number }> {
    const before = process.memoryUsage().arrayBuffers
    const reader = new JournalReader('journal.log')
    let [count, held] = [0, 0]
    async function* watched(): AsyncGenerator<Buffer> {
      let read = 0
      for await (const chunk of chunks) {
        if (++read % 20 === 0) {
          collectGarbage() // what it leaves is held
          held = Math.max(held, process.memoryUsage().arrayBuffers - before)
        }
        yield chunk
      }
    }
    for await (const batch of reader.entries(watched())) count += batch.length
    return { reader, count, held }
  }

  it('is read with a chunk and a batch of it in memory', async () => {
    async function* journal(): AsyncGenerator<Buffer> {
      const { line, end } = encodeHeader('a-journal')
      yield line
      for (let n = 1, place = end; n <= CHUNKS; n++) {
        const batch = encodeBatch([commit(n, { text: 'x'.repeat(CHUNK) })], place)
        place = batch.end
        for (const next of batch.lines) yield next
      }
    }
    const { count, held, reader } = await readAll(journal())
    assert.equal(count, CHUNKS)
    assert.equal(reader.torn, undefined)
    assert.ok(held < 64 * CHUNK, `${held} bytes were held`)
  })

  it('is searched for later batches behind a flaw in as little', async () => {
    const bytes = await journalOf(some)
    async function* journal(): AsyncGenerator<Buffer> {
      yield bytes
      for (let n = 1; n <= CHUNKS; n++) yield Buffer.alloc(CHUNK)
    }
    const { count, held, reader } = await readAll(journal())
    assert.equal(count, some.length)
    assert.deepEqual(reader.torn, { offset: bytes.length, bytes: CHUNKS * CHUNK })
    assert.ok(held < 64 * CHUNK, `${held} bytes were held`)
  })
})

describe('a journal whose last batch is torn', () => {
  it('gives all entries before it and tells where it begins, at whatever byte it was torn', async () => {
    const bytes = await journalOf(some)
    const last = lineStarts(bytes).at(-3) ?? 0
    for (let end = last; end < bytes.length; end++) {
      const { reader, entries, error } = await readJournal(bytes.subarray(0, end), 64)
      assert.equal(error, undefined)
      assert.deepEqual(entries, some.slice(0, -1))
      assert.deepEqual(reader.torn, end === last ? undefined : { offset: last, bytes: end - last })
      assert.equal(reader.end.offset, last)
    }
  })

  it('counts without it, also where it holds many entries and most of them are whole', async () => {
    const { file, journal } = newJournal()
    await journal.write(some.slice(0, 2))
    const { length } = file.contents
    await journal.write(some.slice(2))
    const { reader, entries, error } = await readJournal(file.contents.subarray(0, -1))
    assert.equal(error, undefined)
    assert.deepEqual(entries, some.slice(0, 2))
    assert.equal(reader.torn?.offset, length)
  })

  it('may end with anything, where a crash left blocks unwritten', async () => {
    const bytes = await journalOf(some.slice(0, -1))
    const { reader, entries } = await readJournal(Buffer.concat([bytes, Buffer.from('0123'), Buffer.alloc(4096)]))
    assert.deepEqual(entries, some.slice(0, -1))
    assert.deepEqual(reader.torn, { offset: bytes.length, bytes: 4100 })
  })

  it('is never a journal without its first line: that is not made in place', async () => {
    const bytes = await journalOf([])
    for (let end = 0; end < bytes.length; end++) assertCorrupt((await readJournal(bytes.subarray(0, end))).error, 1, 0)
  })
})

describe('a journal that was altered', () => {
  it('is found so at any bit of any line, the last one included, and the line is named', async () => {
    const bytes = await journalOf(some)
    const starts = lineStarts(bytes)
    for (let at = 0; at < bytes.length; at++) {
      const line = starts.findLastIndex((start) => start <= at)
      for (let bit = 0; bit < 8; bit++) {
        const altered = Buffer.from(bytes)
        altered[at] = (bytes[at] ?? 0) ^ (1 << bit)
        const { entries, error } = await readJournal(altered)
        assertCorrupt(error, line + 1, starts[line] ?? 0)
        assert.deepEqual(entries, some.slice(0, entries.length))
      }
    }
  })

  it('is found so when a line is missing, doubled or in another place', async () => {
    const bytes = await journalOf(some)
    const starts = lineStarts(bytes)
    const lines = starts.slice(0, -1).map((start, index) => bytes.subarray(start, starts[index + 1]))
    for (let at = 1; at < lines.length - 1; at++) {
      const before = lines.slice(0, at)
      const [line = Buffer.of(), next = Buffer.of(), ...rest] = lines.slice(at)
      for (const changed of [
        [next, ...rest],
        [line, line, next, ...rest],
        [next, line, ...rest],
      ]) {
        const { entries, error } = await readJournal(Buffer.concat([...before, ...changed]))
        assert.ok(error instanceof JournalCorruptError, `line ${at + 1}: ${error}`)
        assert.ok(Number(/at byte (\d+)/.exec(error.message)?.[1]) <= (starts[at + 1] ?? 0), error.message)
        assert.deepEqual(entries, some.slice(0, entries.length))
      }
    }
  })

  it('is found so by a batch anywhere behind a hole', async () => {
    const { file, journal } = newJournal()
    await journal.write([commit(1)])
    const hole = file.contents.length
    for (const n of range(300)) await journal.write([commit(n + 2)])
    const whole = Buffer.from(file.contents)
    await journal.write([commit(302)])
    const later = Buffer.from(file.contents)
    for (const [bytes, lost] of [
      [whole, whole.length],
      [later, whole.length],
    ] as const) {
      const zeroed = Buffer.from(bytes)
      zeroed.fill(0, hole, lost)
      const { error, entries, reader } = await readJournal(zeroed, 1000)
      if (bytes === later) assertCorrupt(error, 4, hole)
      else assert.deepEqual([error, reader.torn?.offset], [undefined, hole])
      assert.deepEqual(entries, [commit(1)])
    }
  })

  it('is found so where a part of a sector is zeros, and torn where a whole one is', async () => {
    const { file, journal } = newJournal()
    await journal.write([commit(1)])
    const start = file.contents.length
    await journal.write([commit(2, { text: 'x'.repeat(100_000) })])
    const bytes = file.contents
    for (let sector = Math.ceil(start / 512) * 512; sector + 512 <= bytes.length; sector += 512) {
      const zeroed = (length: number): Buffer => Buffer.from(bytes).fill(0, sector, sector + length)
      const part = await readJournal(zeroed(511))
      assert.ok(part.error instanceof JournalCorruptError, `at ${sector}: ${part.error}`)
      const whole = await readJournal(zeroed(512))
      assert.deepEqual([whole.error, whole.reader.torn?.offset], [undefined, start])
    }
  })

  it('says how much of it is intact, and that nothing was changed', async () => {
    const bytes = await journalOf(some)
    const starts = lineStarts(bytes)
    const altered = Buffer.from(bytes)
    altered[(starts[4] ?? 0) + 20] = 0
    const { error } = await readJournal(altered)
    assertCorrupt(error, 5, starts[4] ?? 0)
    assert.match(String(error), /although another batch follows\. Nothing was changed\. Restore the file from a backup/)
    const intact = Number(/cut it to (\d+) bytes/.exec(String(error))?.[1])
    assert.equal(intact, starts[3])
    const { reader, entries } = await readJournal(altered.subarray(0, intact))
    assert.deepEqual(entries, some.slice(0, 1))
    assert.equal(reader.torn, undefined)
  })

  it('never gives an entry that was not written, whatever happened to it', async () => {
    const bytes = await journalOf(some)
    const damage = fc.record({
      at: fc.nat({ max: bytes.length - 1 }),
      remove: fc.nat({ max: 40 }),
      insert: fc.uint8Array({ maxLength: 40 }),
      pieceBytes: fc.integer({ min: 1, max: 300 }),
    })
    await fc.assert(
      fc.asyncProperty(damage, async ({ at, remove, insert, pieceBytes }) => {
        const altered = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)])
        const { reader, entries, error } = await readJournal(altered, pieceBytes)
        assert.deepEqual(entries, some.slice(0, entries.length))
        if (error === undefined && !altered.equals(bytes)) {
          const lost = lineStarts(altered).length <= 1 + 2 * some.length
          assert.ok(reader.torn !== undefined || lost, 'nothing was noticed')
        } else if (error !== undefined) assert.ok(error instanceof JournalCorruptError)
      }),
      { numRuns: 2000 },
    )
  })

  it('is found so when positions do not follow each other', async () => {
    const bytes = await journalOf([commit(1), commit(3)])
    assertCorrupt((await readJournal(bytes)).error, 5, lineStarts(bytes)[4] ?? 0)
  })

  it('is found so when an entry is of no known kind', async () => {
    const bytes = await journalOf([{ kind: 'surprise' } as unknown as Entry])
    assertCorrupt((await readJournal(bytes)).error, 3, lineStarts(bytes)[2] ?? 0)
  })
})

describe('the first line of a journal', () => {
  it('of a newer schema is refused with SCHEMA_NEWER', async () => {
    const { line } = encodeHeader('a-journal', 2)
    const { error } = await readJournal(line)
    assert.ok(error instanceof SchemaNewerError)
    assert.match(error.message, /^journal\.log has schema version 2, .* knows 1/)
  })

  for (const header of [
    { journal: 'something else', schema: 1, id: 'a-journal' },
    { journal: 'oidc-provider-eventstore', schema: 1 },
    { journal: 'oidc-provider-eventstore' },
    null,
    7,
    [],
  ]) {
    it(`is refused when it is ${JSON.stringify(header)}`, async () => {
      assertCorrupt((await readJournal(encodeLine(header, 0).line)).error, 1, 0)
    })
  }
})

describe('writing to a journal', () => {
  it('syncs once for each call, however many entries', async () => {
    const { file, journal } = newJournal()
    await journal.write(some)
    assert.equal(file.syncs, 1)
    await journal.write([commit(4)])
    assert.equal(file.syncs, 2)
  })

  it('goes on where the system took only a part', async () => {
    const { file, journal } = newJournal()
    file.mostBytes = 7
    await journal.write(some)
    file.mostBytes = Number.POSITIVE_INFINITY
    await journal.write([commit(4)])
    assert.deepEqual((await readJournal(file.contents)).entries, [...some, commit(4)])
  })

  it('hands much over in chunks, and not entry by entry', async () => {
    const { file, journal } = newJournal()
    const large = Array.from({ length: 300 }, (_, index) => commit(index + 1, { text: 'x'.repeat(20_000) }))
    await journal.write(large)
    assert.ok(Math.max(...file.writes) < 1.1 * 1024 * 1024, 'a chunk is too large')
    assert.ok(file.writes.length < 10, 'chunks are too small')
    assert.equal(file.syncs, 1)
    assert.deepEqual((await readJournal(file.contents, 65_536)).entries, large)
  })

  for (const failing of ['failWrite', 'failSync'] as const) {
    it(`does nothing any more after ${failing === 'failSync' ? 'a sync' : 'a write'} that failed, also when the next would succeed`, async () => {
      const { file, journal } = newJournal()
      await journal.write([commit(1)])
      const failure = new Error('EIO: i/o error')
      file[failing] = failure
      await assert.rejects(journal.write([commit(2)]), failure)
      file[failing] = undefined
      const done = [file.writes.length, file.syncs]
      await assert.rejects(journal.write([commit(3)]), failure)
      assert.deepEqual([file.writes.length, file.syncs], done)
    })
  }
})
