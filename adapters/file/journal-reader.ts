import { JournalCorruptError, SchemaNewerError } from '../../lib/errors.ts'
import { SCHEMA_VERSION } from '../../lib/log/prepare.ts'
import type { Entry, KeyFingerprints } from '../memory/journal.ts'
import type { JournalReaders } from './file-journal.ts'
import {
  type BatchLine,
  decodeBatchLine,
  decodeLine,
  follows,
  JOURNAL_SCHEMA,
  JOURNAL_START,
  type JournalHeader,
  type JournalPlace,
  LINE_FEED,
  type LinePlace,
  SHORT_LINE_BYTES,
} from './journal-format.ts'
import { ReadBuffer } from './read-buffer.ts'
import { inspectTail } from './torn-tail.ts'

/** An incomplete batch at the end of a journal, which was never acknowledged. */
export interface TornTail {
  /** Bytes of the file before it. */
  readonly offset: number
  readonly bytes: number
}

/** A line that differs from what was written. */
interface Flaw {
  /** The first line of the file is 1. */
  readonly line: number
  readonly offset: number
  readonly what: string
  /** The file ends before the batch. */
  readonly short?: boolean
}

const KINDS: ReadonlySet<string> = new Set<Entry['kind']>([
  'removed',
  'retention',
  'commit',
  'consumer',
  'consumer_removed',
  'work',
  'work_removed',
  'indexed',
  'unindexed',
  'account_key',
  'account_key_removed',
  'keys',
])

/**
 * Reads a journal from its start. It buffers one chunk and one batch at most.
 *
 * After a loss of power during a write, any subset of the written pages may be on the disk. The last batch is then
 * incomplete: the file ends early, or a page contains zeros. Such a torn tail was never acknowledged. All other flaws are
 * damage, also a torn batch that another batch follows.
 */
export class JournalReader {
  /** Its name, for messages. */
  readonly file: string
  readonly #readers: Pick<JournalReaders, 'placed'> | undefined
  #line = 0
  #end: JournalPlace = JOURNAL_START
  #lastBatch = 0
  #position = 0
  /** Commits up to it may be missing: they were removed, and the journal was written anew. */
  #floor = 0
  #torn: TornTail | undefined
  #keys: KeyFingerprints = { hashing: [], sealing: [] }

  /** @param file - its name, for messages */
  constructor(file: string, readers?: Pick<JournalReaders, 'placed'>) {
    this.file = file
    this.#readers = readers
  }

  /** The place of the next batch. Valid when everything has been read. */
  get end(): JournalPlace {
    return this.#end
  }

  /** Offset of the last batch. Everything before it is on the disk. Valid when everything has been read. */
  get lastBatch(): number {
    return this.#lastBatch
  }

  /** Valid when everything has been read. */
  get torn(): TornTail | undefined {
    return this.#torn
  }

  /** Valid when everything has been read. */
  get keys(): KeyFingerprints {
    return this.#keys
  }

  /**
   * Yields the entries of each complete batch.
   *
   * @throws JournalCorruptError (`JOURNAL_CORRUPT`), SchemaNewerError (`SCHEMA_NEWER`)
   */
  async *entries(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly Entry[]> {
    const buffer = new ReadBuffer(chunks)
    await buffer.fill(SHORT_LINE_BYTES)
    buffer.skip(this.#header(buffer.bytes))
    while (await buffer.fill(1)) {
      const read = await this.#batch(buffer)
      if ('what' in read) return this.#finish(buffer, read)
      yield read
    }
  }

  #header(bytes: Buffer): number {
    const length = bytes.subarray(0, SHORT_LINE_BYTES).indexOf(LINE_FEED) + 1
    const decoded = length > 0 ? decodeLine(bytes.subarray(0, length - 1), 0) : undefined
    const header = decoded?.value as Partial<JournalHeader> | null | undefined
    if (header?.journal !== 'oidc-provider-eventstore' || typeof header.schema !== 'number' || !decoded) {
      throw this.#corrupt({ line: 1, offset: 0, what: 'is not the first line of a journal' })
    }
    if (header.schema > JOURNAL_SCHEMA) throw new SchemaNewerError(this.file, header.schema, JOURNAL_SCHEMA)
    if (typeof header.id !== 'string') {
      throw this.#corrupt({ line: 1, offset: 0, what: 'is not the first line of a journal: it has no id' })
    }
    this.#line = 1
    this.#end = { offset: length, crc: decoded.crc, headerCrc: decoded.crc }
    return length
  }

  /** Consumes the next batch if it is complete. */
  async #batch(buffer: ReadBuffer): Promise<readonly Entry[] | Flaw> {
    const more = await buffer.fill(SHORT_LINE_BYTES)
    const first = decodeBatchLine(buffer.bytes, this.#end.headerCrc)
    if (!first) {
      const short = !more && !buffer.bytes.includes(LINE_FEED)
      return { ...this.#flaw(0, 0, 'does not match its checksum'), short }
    }
    const { batch, length, crc } = first
    if (!follows(batch, this.#end)) return this.#flaw(0, 0, 'does not follow the line before it')
    if (!(await buffer.fill(length + batch.bytes))) {
      return { ...this.#flaw(0, 0, 'begins an incomplete batch'), short: true }
    }
    const lines = linesOf(buffer.bytes.subarray(length, length + batch.bytes), batch, crc)
    if (!Array.isArray(lines)) return this.#flaw(lines.index + 1, length + lines.offset, lines.what)
    const start = this.#end.offset + length
    const entries = lines.map(({ value, place }, index) =>
      this.#entry(value, index + 1, { ...place, offset: start + place.offset }),
    )
    buffer.skip(length + batch.bytes)
    this.#line += 1 + batch.entries
    this.#end = { ...this.#end, offset: buffer.offset, crc: lines.at(-1)?.crc ?? crc }
    this.#lastBatch = batch.at
    return entries
  }

  #entry(value: unknown, line: number, place: LinePlace): Entry {
    const entry = value as Entry
    const { offset } = place
    if (!KINDS.has(entry?.kind)) {
      const what = `holds an entry of unknown kind ${JSON.stringify(entry?.kind)}`
      throw this.#corrupt({ line: this.#line + 1 + line, offset, what })
    }
    if (entry.kind === 'keys') this.#keys = entry.fingerprints
    if (entry.kind === 'removed') this.#floor = Math.max(this.#floor, entry.removed.floor)
    if (entry.kind !== 'commit') return entry
    const { position, v = 1 } = entry.commit
    if (v > SCHEMA_VERSION)
      throw new SchemaNewerError(`${this.file}: the commit of position ${position}`, v, SCHEMA_VERSION)
    const isDue = position === this.#position + 1 || (position > this.#position && position <= this.#floor + 1)
    if (!isDue) {
      const what = `holds the commit of position ${position}, ${this.#position + 1} is due`
      throw this.#corrupt({ line: this.#line + 1 + line, offset, what })
    }
    this.#position = position
    this.#readers?.placed(position, place)
    return entry
  }

  /** @throws JournalCorruptError (`JOURNAL_CORRUPT`) unless the flaw is a torn tail */
  async #finish(buffer: ReadBuffer, flaw: Flaw): Promise<void> {
    const { bytes, batchFollows, hole } = await inspectTail(buffer, this.#end)
    if (batchFollows) throw this.#corrupt({ ...flaw, what: `${flaw.what}, although another batch follows` })
    if (!hole && !flaw.short) throw this.#corrupt(flaw)
    this.#torn = { offset: this.#end.offset, bytes }
  }

  /** @param line - index of the line in its batch; `offset`: bytes of the batch before it */
  #flaw(line: number, offset: number, what: string): Flaw {
    return { line: this.#line + 1 + line, offset: this.#end.offset + offset, what }
  }

  #corrupt({ line, offset, what }: Flaw): JournalCorruptError {
    const intact = this.#end.offset
    const orCut = `, or keep a copy of it and cut it to ${intact} bytes: they are intact, and everything after them is lost`
    return new JournalCorruptError(
      `${this.file}: line ${line}, at byte ${offset}, ${what}. Nothing was changed. Restore the file from a backup` +
        (intact > 0 ? orCut : ''),
    )
  }
}

interface EntryLine {
  readonly value: unknown
  readonly crc: number
  /** Its offset counts from the first of the lines. */
  readonly place: LinePlace
}

/** Decodes the lines of a batch's entries, or returns the first flaw. */
function linesOf(
  body: Buffer,
  batch: BatchLine,
  batchCrc: number,
): EntryLine[] | { index: number; offset: number; what: string } {
  const lines: EntryLine[] = []
  let crc = batchCrc
  let offset = 0
  for (let index = 0; index < batch.entries; index++) {
    const feed = body.indexOf(LINE_FEED, offset)
    const decoded = feed < 0 ? undefined : decodeLine(body.subarray(offset, feed), crc)
    if (!decoded) return { index, offset, what: 'does not match its checksum' }
    lines.push({ ...decoded, place: { offset, length: feed - offset, crcBefore: crc } })
    crc = decoded.crc
    offset = feed + 1
  }
  if (offset < body.length) return { index: batch.entries, offset, what: 'is longer than its batch line says' }
  return lines
}
