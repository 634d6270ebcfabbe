import { open } from 'node:fs/promises'
import { UsageError } from './exit-codes.ts'

/** A line of a file. */
export interface Line {
  readonly text: string
  /** Counted from 1. */
  readonly number: number
  /** Bytes of the file up to its end; with its line feed, if it has one. */
  readonly end: number
  /** Whether a line feed ends it: whoever wrote the last one may have been killed. */
  readonly isWhole: boolean
}

/** No line that is read here is longer, in bytes. */
const MOST = 64 * 1024

const LINE_FEED = 0x0a

/**
 * The lines of a file, one in memory at a time.
 *
 * @throws UsageError: it cannot be read
 */
export async function* linesOf(file: string): AsyncGenerator<Line, void> {
  const handle = await open(file, 'r').catch((cause: unknown) => {
    throw unreadable(file, cause)
  })
  try {
    let rest = Buffer.alloc(0)
    let end = 0
    let number = 0
    const line = (bytes: Buffer, isWhole: boolean): Line => {
      end += bytes.length + (isWhole ? 1 : 0)
      number += 1
      return { text: bytes.toString('utf8'), number, end, isWhole }
    }
    for await (const chunk of handle.createReadStream({ autoClose: false, highWaterMark: MOST })) {
      rest = Buffer.concat([rest, chunk as Buffer])
      for (let at = rest.indexOf(LINE_FEED); at !== -1; at = rest.indexOf(LINE_FEED)) {
        yield line(rest.subarray(0, at), true)
        rest = rest.subarray(at + 1)
      }
      if (rest.length > MOST) throw new UsageError(`${file}: line ${number + 1} is too long`)
    }
    if (rest.length > 0) yield line(rest, false)
  } catch (error) {
    throw error instanceof UsageError ? error : unreadable(file, error)
  } finally {
    await handle.close()
  }
}

function unreadable(file: string, cause: unknown): UsageError {
  return new UsageError(`${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}`, { cause })
}
