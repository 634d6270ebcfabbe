import { type Entry, type Journal, JournalFullError, JournalUnusableError, type Rewriting } from '../memory/journal.ts'
import { isOutOfRoom, isTooLarge } from './folder.ts'
import { CHUNK_BYTES, type JournalFile, writeAll } from './journal-file.ts'
import { encodeBatch, JOURNAL_START, type JournalPlace, type LinePlace } from './journal-format.ts'
import { Places } from './places.ts'

/** As long as callers wait for MongoDB: a disk that hangs must not keep a request for longer. */
const MAX_WRITE_MS = 9_000

/** Who reads commits from the journal while it is written. */
export interface JournalReaders {
  /** Told where the line of each commit is, in the order of their positions, once it is durable. */
  placed(position: number, place: LinePlace): void
  /** What the commits take in the file, removed ones too. */
  readonly bytes: number
  /** Resolves when what is being read now was read, whatever is read after it. */
  readsUnderWay(): Promise<void>
  /** From now on they are in another file. */
  moveTo(places: Places): void
  /** Resolves when nothing is being read. False: a read hangs, and nobody waits for it. */
  idle(): Promise<boolean>
}

/** A file that is to take the journal's place. */
export interface Replacement {
  readonly file: JournalFile
  /** Where its first batch goes: behind its header. */
  readonly start: JournalPlace
  /**
   * Puts it in the journal's place. Where it rejects, nothing has changed.
   *
   * @throws JournalUnusableError: what is in that place is not this process's journal any more
   */
  rename(): Promise<void>
  /** When it resolves no crash brings the former one back. */
  settle(): Promise<void>
  /** It is not wanted after all. */
  remove(): Promise<void>
}

/**
 * Appends batches of entries to a file, with one `fdatasync` for each. A batch is on the disk when `write` resolves.
 *
 * After a failed write or sync the contents of the file are unknown. A later sync that succeeds proves nothing: the kernel
 * may have dropped the pages that it could not write. A journal that failed once therefore writes nothing any more. A disk
 * that has no room says so before it takes anything: then the batch is cut off again, and may be written once more.
 */
export class FileJournal implements Journal {
  readonly maxWriteMs: number = MAX_WRITE_MS
  readonly #readers: JournalReaders | undefined
  readonly #replacement: (() => Promise<Replacement>) | undefined
  /** Whether each batch is on the disk when it is written. */
  readonly #syncs: boolean
  #file: JournalFile
  #end: JournalPlace = JOURNAL_START
  #failure: unknown

  /** @param replacement - makes a file that may take this one's place; absent: the journal grows for ever */
  constructor(
    file: JournalFile,
    readers?: JournalReaders,
    replacement?: () => Promise<Replacement>,
    syncs: boolean = true,
  ) {
    this.#file = file
    this.#syncs = syncs
    this.#readers = readers
    this.#replacement = replacement
  }

  get size(): { readonly bytes: number; readonly commits: number } {
    return { bytes: this.#end.offset, commits: this.#readers?.bytes ?? 0 }
  }

  get failure(): unknown {
    return this.#failure
  }

  /** Sets the place of the next batch. Everything before it must be on the disk. Call it before the first write. */
  continueAt(end: JournalPlace): void {
    this.#end = end
  }

  /**
   * Rejects with the system's error, and with the same one at all later calls.
   *
   * @throws JournalFullError: there is no room for it, and it may be written again
   */
  async write(entries: readonly Entry[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    try {
      const { lines, places, end } = encodeBatch(entries, this.#end)
      await this.#put(lines)
      if (this.#syncs) await this.#file.datasync()
      this.#end = end
      for (const [index, entry] of entries.entries()) {
        if (entry.kind === 'commit') this.#readers?.placed(entry.commit.position, places[index] as LinePlace)
      }
    } catch (error) {
      if (!(error instanceof JournalFullError)) this.#failure = error
      throw error
    }
  }

  async #put(lines: readonly Buffer[]): Promise<void> {
    let { offset } = this.#end
    try {
      for (const chunk of inChunks(lines)) {
        await writeAll(this.#file, chunk, offset)
        offset += chunk.length
      }
    } catch (cause) {
      if (isTooLarge(cause)) throw tooLarge(cause)
      if (!isOutOfRoom(cause)) throw cause
      await this.#file.truncate(this.#end.offset) // what was written of it takes room that others need
      throw new JournalFullError(cause.message, { cause })
    }
  }

  /** Begins a journal that is to take this one's place. Undefined: this one cannot be replaced. */
  async rewrite(): Promise<Rewriting | undefined> {
    if (!this.#replacement) return undefined
    const replacement = await this.#inPlace(this.#replacement())
    const places = new Places(replacement.file)
    const readers: JournalReaders = {
      placed: (position, place) => places.add(position, place),
      bytes: 0,
      moveTo() {},
      idle: async () => true,
      readsUnderWay: async () => {},
    }
    const next = new FileJournal(replacement.file, readers, undefined, false) // nobody is told before it is complete
    next.continueAt(replacement.start)
    return {
      write: (entries) => next.write(entries),
      flush: () => next.#file.datasync(),
      finish: () => this.#moveTo(next, places, replacement),
      abandon: () => replacement.remove(),
    }
  }

  async #moveTo(next: FileJournal, places: Places, replacement: Replacement): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    await next.#file.sync()
    await this.#inPlace(replacement.rename())
    try {
      await replacement.settle()
    } catch (error) {
      // Which of the two a crash would leave is not known: neither can be written.
      this.#failure = error
      throw error
    }
    const former = this.#file
    const reads = this.#readers?.readsUnderWay()
    this.#file = next.#file
    this.#end = next.#end
    this.#readers?.moveTo(places)
    void Promise.resolve(reads)
      .then(() => former.close())
      .catch(() => {})
  }

  /** A journal that is not in its place any more is not written any more. */
  async #inPlace<T>(step: Promise<T>): Promise<T> {
    try {
      return await step
    } catch (error) {
      if (error instanceof JournalUnusableError) this.#failure ??= error
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

function tooLarge(cause: Error): JournalUnusableError {
  return new JournalUnusableError(
    `the journal has reached the largest size that its file system, or the limit of this process, allows (${cause.message}): ` +
      'raise the limit, or move the folder to another file system, then open the store again',
    { cause },
  )
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
