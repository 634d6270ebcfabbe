import { JournalCorruptError, SchemaNewerError } from '../../lib/errors.ts'
import type { Entry } from '../memory/journal.ts'
import { decodeLine, JOURNAL_SCHEMA, JOURNAL_START, type JournalHeader, type JournalPlace } from './journal-format.ts'

/** What a crash left at the end of a journal: the beginning of a line whose write was never acknowledged. */
export interface TornTail {
  /** Where it begins, in bytes from the start of the file. */
  readonly offset: number
  readonly bytes: number
}

const LINE_FEED = 0x0a
const KINDS: ReadonlySet<string> = new Set<Entry['kind']>([
  'commit',
  'consumer',
  'work',
  'work_removed',
  'hashing_keys',
])

/**
 * Reads a journal from its start, in pieces of any size.
 *
 * A crash in the middle of a write leaves a line without its end: a torn tail, which nobody was told was stored. Every
 * other flaw is damage to what was acknowledged. It is reported and never cut, be it in the last line.
 */
export class JournalReader {
  /** Its name, for messages. */
  readonly file: string
  #line = 0
  #end: JournalPlace = JOURNAL_START
  #position = 0
  #torn: TornTail | undefined
  #hashingKeys: readonly string[] = []

  /** @param file - its name, for messages */
  constructor(file: string) {
    this.file = file
  }

  /** Where the next line goes. Known once everything was read. */
  get end(): JournalPlace {
    return this.#end
  }

  /** Known once everything was read. */
  get torn(): TornTail | undefined {
    return this.#torn
  }

  /** Fingerprints of the hashing keys that the journal was last written with. Known once everything was read. */
  get hashingKeys(): readonly string[] {
    return this.#hashingKeys
  }

  /** @throws JournalCorruptError (`JOURNAL_CORRUPT`), SchemaNewerError (`SCHEMA_NEWER`) */
  async *entries(pieces: AsyncIterable<Buffer>): AsyncGenerator<Entry[]> {
    let begun: Buffer[] = []
    for await (const piece of pieces) {
      const entries: Entry[] = []
      let from = 0
      for (let to = piece.indexOf(LINE_FEED); to >= 0; to = piece.indexOf(LINE_FEED, from)) {
        const entry = this.#take(Buffer.concat([...begun, piece.subarray(from, to)]))
        if (entry) entries.push(entry)
        begun = []
        from = to + 1
      }
      if (from < piece.length) begun.push(piece.subarray(from))
      yield entries
    }
    this.#finish(Buffer.concat(begun))
  }

  #take(line: Buffer): Entry | undefined {
    this.#line += 1
    const decoded = decodeLine(line, this.#end)
    if (!decoded) throw this.#corrupt('does not match its checksum')
    if (this.#line === 1) this.#assertHeader(decoded.value)
    const entry = this.#line === 1 ? undefined : this.#entry(decoded.value)
    this.#end = decoded.next
    return entry
  }

  #assertHeader(value: unknown): void {
    const header = value as Partial<JournalHeader> | null
    if (header?.journal !== 'oidc-provider-eventstore' || typeof header.schema !== 'number') {
      throw this.#corrupt('is not the first line of a journal')
    }
    if (header.schema > JOURNAL_SCHEMA) throw new SchemaNewerError(this.file, header.schema, JOURNAL_SCHEMA)
  }

  #entry(value: unknown): Entry {
    const entry = value as Entry
    if (!KINDS.has(entry?.kind))
      throw this.#corrupt(`holds an entry of kind ${JSON.stringify(entry?.kind)}, which is not known`)
    if (entry.kind === 'hashing_keys') this.#hashingKeys = entry.fingerprints
    if (entry.kind !== 'commit') return entry
    this.#position += 1
    if (entry.commit.position !== this.#position) {
      throw this.#corrupt(`holds the commit of position ${entry.commit.position}, ${this.#position} is due`)
    }
    return entry
  }

  #finish(tail: Buffer): void {
    if (tail.length > 0) this.#line += 1
    // A whole line with something else where its line feed was: no crash does that.
    if (decodeLine(tail.subarray(0, -1), this.#end)) throw this.#corrupt('has lost its end')
    if (this.#end.offset === 0) throw this.#corrupt('is not the first line of a journal')
    if (tail.length > 0) this.#torn = { offset: this.#end.offset, bytes: tail.length }
  }

  #corrupt(what: string): JournalCorruptError {
    return new JournalCorruptError(
      `${this.file}: line ${this.#line}, at byte ${this.#end.offset}, ${what}. Nothing was changed: restore the file from ` +
        'a copy, or look at what the line and those after it held before you cut them off',
    )
  }
}
