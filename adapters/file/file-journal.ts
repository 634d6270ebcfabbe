import type { Entry, Journal } from '../memory/journal.ts'
import { encodeLine, JOURNAL_START, type JournalPlace } from './journal-format.ts'

/** What the journal needs of a file: a `FileHandle` of node:fs, or less. */
export interface JournalFile {
  write(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesWritten: number }>
  datasync(): Promise<void>
  close(): Promise<void>
}

/** Bytes gathered before they are handed to the file. */
const CHUNK_BYTES = 1024 * 1024

/**
 * Appends entries to a file, and resolves when they are on the disk: one `fdatasync` for each call.
 *
 * After a write or a sync that failed nobody knows what the file holds, not even after a later sync that succeeded: the
 * kernel may have dropped the pages that it could not write. So a journal that failed once does nothing any more.
 */
export class FileJournal implements Journal {
  readonly #file: JournalFile
  #end: JournalPlace = JOURNAL_START
  #failure: unknown

  constructor(file: JournalFile) {
    this.#file = file
  }

  /** Tells where the next line goes. Only before the first write. */
  continueAt(end: JournalPlace): void {
    this.#end = end
  }

  /** Rejects with what the system said; then, and for ever after. */
  async write(entries: readonly Entry[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    try {
      for (const { bytes, offset } of this.#chunks(entries)) await this.#put(bytes, offset)
      await this.#file.datasync()
    } catch (error) {
      this.#failure = error
      throw error
    }
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  *#chunks(entries: readonly Entry[]): Generator<{ bytes: Buffer; offset: number }> {
    let { offset } = this.#end
    let lines: Buffer[] = []
    for (const entry of entries) {
      const { line, next } = encodeLine(entry, this.#end)
      this.#end = next
      lines.push(line)
      if (next.offset - offset < CHUNK_BYTES) continue
      yield { bytes: Buffer.concat(lines), offset }
      offset = next.offset
      lines = []
    }
    if (lines.length > 0) yield { bytes: Buffer.concat(lines), offset }
  }

  async #put(bytes: Buffer, offset: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, offset + done)
      done += bytesWritten
    }
  }
}
