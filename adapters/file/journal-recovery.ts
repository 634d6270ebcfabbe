import { chunksOf, type JournalFile, writeAll } from './journal-file.ts'
import type { JournalReader } from './journal-reader.ts'

/**
 * Makes the end of a journal such that it can be written behind: cuts a torn tail off, and puts on the disk what is not
 * known to be there.
 *
 * Written by a process that was killed, the last batch may be in the page cache only. After a sync that failed it may
 * be in the page cache, and the kernel may count it as written: a sync would do nothing. So it is written again first.
 *
 * A crash in the midst of this changes nothing: the same bytes are written to the same place, and a tail that is not
 * cut yet is torn as before.
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
