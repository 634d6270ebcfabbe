import { BATCH_LINE_START, decodeBatchLine, type JournalPlace, PREFIX, SHORT_LINE_BYTES } from './journal-format.ts'
import type { ReadBuffer } from './read-buffer.ts'

/** What lies behind the last complete batch of a journal. */
export interface Tail {
  readonly bytes: number
  /** A batch was written behind it: so it had been acknowledged. */
  readonly batchBehind: boolean
  /** A page of it never reached the disk. */
  readonly hole: boolean
}

/** The smallest unit that a disk writes as a whole. */
const SECTOR_BYTES = 512
/** Bytes that are looked at in one step. */
const STEP_BYTES = 64 * 1024

const ZEROS = Buffer.alloc(SECTOR_BYTES)

/** Looks at all that is behind `start`, in bounded memory. */
export async function inspectTail(buffer: ReadBuffer, start: JournalPlace): Promise<Tail> {
  let [batchBehind, hole] = [false, false]
  while (await buffer.fill(1)) {
    const more = await buffer.fill(STEP_BYTES + SHORT_LINE_BYTES)
    const step = more ? STEP_BYTES - (buffer.offset % SECTOR_BYTES) : buffer.bytes.length
    batchBehind ||= holdsBatchLine(buffer.bytes, step, start)
    hole ||= holdsHole(buffer.bytes.subarray(0, step), buffer.offset)
    buffer.skip(step)
  }
  return { bytes: buffer.offset - start.offset, batchBehind, hole }
}

/** Whether a line that begins within the first `step` bytes was written as the first line of a later batch. */
function holdsBatchLine(bytes: Buffer, step: number, { offset, headerCrc }: JournalPlace): boolean {
  let from = 0
  for (;;) {
    const found = bytes.indexOf(BATCH_LINE_START, from)
    const line = found + 1 - PREFIX
    if (found < 0 || line >= step) return false
    const decoded = line < 0 ? undefined : decodeBatchLine(bytes.subarray(line), headerCrc)
    if (decoded && decoded.batch.at > offset) return true
    from = found + 1
  }
}

/**
 * Whether a whole sector, or what the bytes have of it, is zeros. No line holds a zero: JSON escapes it. Where a page
 * was lost, the file system shows zeros.
 */
function holdsHole(bytes: Buffer, offset: number): boolean {
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, from + SECTOR_BYTES - ((offset + from) % SECTOR_BYTES))
    if (ZEROS.subarray(0, to - from).equals(bytes.subarray(from, to))) return true
    from = to
  }
  return false
}
