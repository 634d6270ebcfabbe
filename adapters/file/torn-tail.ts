import { BATCH_LINE_START, decodeBatchLine, type JournalPlace, PREFIX, SHORT_LINE_BYTES } from './journal-format.ts'
import type { ReadBuffer } from './read-buffer.ts'

/** The bytes after the last complete batch of a journal. */
export interface Tail {
  readonly bytes: number
  /** A later batch line was found: the tail, or a part of it, was acknowledged. */
  readonly batchFollows: boolean
  /** At least one page never reached the disk. */
  readonly hole: boolean
}

/** The smallest unit that a disk writes atomically. */
const SECTOR_BYTES = 512
/** Bytes examined in one step. */
const STEP_BYTES = 64 * 1024

const ZEROS = Buffer.alloc(SECTOR_BYTES)

/** Examines everything from `start` to the end of the file, in bounded memory. */
export async function inspectTail(buffer: ReadBuffer, start: JournalPlace): Promise<Tail> {
  let [batchFollows, hole] = [false, false]
  while (await buffer.fill(1)) {
    const more = await buffer.fill(STEP_BYTES + SHORT_LINE_BYTES)
    const step = more ? STEP_BYTES - (buffer.offset % SECTOR_BYTES) : buffer.bytes.length
    batchFollows ||= holdsBatchLine(buffer.bytes, step, start)
    hole ||= holdsHole(buffer.bytes.subarray(0, step), buffer.offset)
    buffer.skip(step)
  }
  return { bytes: buffer.offset - start.offset, batchFollows, hole }
}

/** Whether the line of a later batch begins within the first `step` bytes. */
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
 * Whether all bytes of a sector are zero, or all of its bytes that lie in the tail. The file system returns zeros for a
 * page that was not written. Lines never contain a zero byte: JSON escapes it.
 */
function holdsHole(bytes: Buffer, offset: number): boolean {
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, from + SECTOR_BYTES - ((offset + from) % SECTOR_BYTES))
    if (ZEROS.subarray(0, to - from).equals(bytes.subarray(from, to))) return true
    from = to
  }
  return false
}
