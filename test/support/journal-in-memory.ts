import type { JournalFile } from '../../adapters/file/file-journal.ts'
import { FileJournal } from '../../adapters/file/file-journal.ts'
import { encodeHeader } from '../../adapters/file/journal-format.ts'
import { JournalReader } from '../../adapters/file/journal-reader.ts'
import type { Entry } from '../../adapters/memory/journal.ts'

/** A journal's file that is kept in memory, counts what is done to it and fails when it is told to. */
export class FileInMemory implements JournalFile {
  contents: Buffer = Buffer.alloc(0)
  readonly writes: number[] = []
  syncs = 0
  /** Bytes that one write takes at most. */
  mostBytes: number = Number.POSITIVE_INFINITY
  failWrite: Error | undefined
  failSync: Error | undefined

  async write(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesWritten: number }> {
    this.writes.push(length)
    if (this.failWrite) throw this.failWrite
    const bytesWritten = Math.min(length, this.mostBytes)
    const grown = Buffer.alloc(Math.max(this.contents.length, position + bytesWritten))
    this.contents.copy(grown)
    buffer.copy(grown, position, offset, offset + bytesWritten)
    this.contents = grown
    return { bytesWritten }
  }

  async datasync(): Promise<void> {
    this.syncs += 1
    if (this.failSync) throw this.failSync
  }

  async close(): Promise<void> {}
}

/** A new journal in memory: its header is written. */
export function newJournal(): { file: FileInMemory; journal: FileJournal } {
  const file = new FileInMemory()
  const journal = new FileJournal(file)
  const { line, next } = encodeHeader()
  file.contents = line
  journal.continueAt(next)
  return { file, journal }
}

/** What a reader makes of the bytes, given to it in pieces of some size. */
export async function readJournal(
  bytes: Buffer,
  pieceBytes: number = bytes.length,
): Promise<{ reader: JournalReader; entries: Entry[]; error: unknown }> {
  const reader = new JournalReader('journal.log')
  const entries: Entry[] = []
  try {
    for await (const batch of reader.entries(inPieces(bytes, Math.max(1, pieceBytes)))) entries.push(...batch)
    return { reader, entries, error: undefined }
  } catch (error) {
    return { reader, entries, error }
  }
}

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}
