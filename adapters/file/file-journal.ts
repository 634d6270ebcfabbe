import type { Entry, Journal } from '../memory/journal.ts'
import { CHUNK_BYTES, type JournalFile, writeAll } from './journal-file.ts'
import { encodeBatch, JOURNAL_START, type JournalPlace, type LinePlace } from './journal-format.ts'

/** As long as callers wait for MongoDB: a disk that hangs must not keep a request for longer. */
const MAX_WRITE_MS = 9_000

/** Who reads commits from the journal while it is written. */
export interface JournalReaders {
  /** Told where the line of each commit is, in the order of their positions, once it is durable. */
  placed(place: LinePlace): void
  /** Resolves when nothing is being read. False: a read hangs, and nobody waits for it. */
  idle(): Promise<boolean>
}

/**
 * Appends batches of entries to a file, with one `fdatasync` for each. A batch is on the disk when `write` resolves.
 *
 * After a failed write or sync the contents of the file are unknown. A later sync that succeeds proves nothing: the kernel
 * may have dropped the pages that it could not write. A journal that failed once therefore writes nothing any more.
 */
export class FileJournal implements Journal {
  readonly maxWriteMs: number = MAX_WRITE_MS
  readonly #file: JournalFile
  readonly #readers: JournalReaders | undefined
  #end: JournalPlace = JOURNAL_START
  #failure: unknown

  constructor(file: JournalFile, readers?: JournalReaders) {
    this.#file = file
    this.#readers = readers
  }

  /** Sets the place of the next batch. Everything before it must be on the disk. Call it before the first write. */
  continueAt(end: JournalPlace): void {
    this.#end = end
  }

  /** Rejects with the system's error, and with the same one at all later calls. */
  async write(entries: readonly Entry[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    try {
      const { lines, places, end } = encodeBatch(entries, this.#end)
      let { offset } = this.#end
      for (const chunk of inChunks(lines)) {
        await writeAll(this.#file, chunk, offset)
        offset += chunk.length
      }
      await this.#file.datasync()
      this.#end = end
      for (const [index, { kind }] of entries.entries()) {
        if (kind === 'commit') this.#readers?.placed(places[index] as LinePlace)
      }
    } catch (error) {
      this.#failure = error
      throw error
    }
  }

  async close(): Promise<void> {
    const isIdle = (await this.#readers?.idle()) ?? true
    const closed = this.#file.close() // the system waits for what is being read
    if (isIdle) await closed
    else closed.catch(() => {})
  }
}

/** The lines, joined to chunks of about `CHUNK_BYTES`. */
function* inChunks(lines: readonly Buffer[]): Generator<Buffer> {
  let chunk: Buffer[] = []
  let bytes = 0
  for (const line of lines) {
    chunk.push(line)
    bytes += line.length
    if (bytes < CHUNK_BYTES) continue
    yield Buffer.concat(chunk)
    chunk = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(chunk)
}
