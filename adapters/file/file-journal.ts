import type { Entry, Journal } from '../memory/journal.ts'
import { CHUNK_BYTES, type JournalFile, writeAll } from './journal-file.ts'
import { encodeBatch, JOURNAL_START, type JournalPlace } from './journal-format.ts'

/**
 * Appends batches of entries to a file. A batch is on the disk, with one `fdatasync`, when `write` resolves.
 *
 * After a write or a sync that failed nobody knows what the file holds, not even after a later sync that succeeded: the
 * kernel may have dropped the pages that it could not write. So a journal that failed once writes nothing any more.
 */
export class FileJournal implements Journal {
  readonly #file: JournalFile
  #end: JournalPlace = JOURNAL_START
  #failure: unknown

  constructor(file: JournalFile) {
    this.#file = file
  }

  /** Tells where the next batch goes. Everything before it is on the disk. Only before the first write. */
  continueAt(end: JournalPlace): void {
    this.#end = end
  }

  /** Rejects with what the system said; then, and at every call after. */
  async write(entries: readonly Entry[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    try {
      const { lines, end } = encodeBatch(entries, this.#end)
      let { offset } = this.#end
      for (const chunk of inChunks(lines)) {
        await writeAll(this.#file, chunk, offset)
        offset += chunk.length
      }
      await this.#file.datasync()
      this.#end = end
    } catch (error) {
      this.#failure = error
      throw error
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/** The lines, joined to as few pieces as `CHUNK_BYTES` allow. */
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
