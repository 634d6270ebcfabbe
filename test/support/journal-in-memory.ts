import { FileJournal } from '../../adapters/file/file-journal.ts'
import { encodeHeader } from '../../adapters/file/journal-format.ts'
import { JournalReader } from '../../adapters/file/journal-reader.ts'
import { recoverEnd } from '../../adapters/file/journal-recovery.ts'
import type { Entry } from '../../adapters/memory/journal.ts'
import { DiskInMemory } from './disk-in-memory.ts'

/** A new journal in memory: its header is written. */
export function newJournal(): { file: DiskInMemory; journal: FileJournal } {
  const { line, end } = encodeHeader('a-journal')
  const file = new DiskInMemory(line)
  const journal = new FileJournal(file)
  journal.continueAt(end)
  return { file, journal }
}

/** Opens a journal as the store does: reads it, makes its end fit to be written behind, and goes on there. */
export async function openJournal(
  file: DiskInMemory,
): Promise<{ entries: readonly Entry[]; end: number; journal: FileJournal }> {
  const { reader, entries, error } = await readJournal(file.contents)
  if (error !== undefined) throw error
  await recoverEnd(file, reader)
  const journal = new FileJournal(file)
  journal.continueAt(reader.end)
  return { entries, end: reader.end.offset, journal }
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
