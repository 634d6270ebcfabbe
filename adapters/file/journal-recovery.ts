import { chunksOf, type JournalFile, writeAll } from './journal-file.ts'
import type { JournalReader } from './journal-reader.ts'

/**
 * Prepares the end of a journal for appending: truncates a torn tail, and makes the last batch durable.
 *
 * The last batch may be in the page cache only: its process may have been killed before the sync, or the sync failed. In
 * the latter case the kernel may regard the pages as clean, and another sync would not write them. The batch is
 * therefore written again before the sync.
 *
 * A crash during recovery is harmless: the same bytes are written to the same place, and a tail that was not truncated is
 * still torn.
 */
export async function recoverEnd(file: JournalFile, { end, lastBatch, torn }: JournalReader): Promise<void> {
  if (torn) await file.truncate(torn.offset)
  let offset = lastBatch
  for await (const chunk of chunksOf(file, lastBatch, end.offset)) {
    await writeAll(file, chunk, offset)
    offset += chunk.length
  }
  await file.sync()
}
