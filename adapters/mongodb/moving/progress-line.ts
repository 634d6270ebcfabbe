import type { Progress } from './options.ts'

/** What progress is written to: `process.stderr`. */
export interface ProgressStream {
  write(text: string): unknown
  readonly isTTY?: boolean
}

/** Elsewhere than on a terminal a line is written after so many documents. */
const EVERY = 10_000

const WORDS = { reading: 'taking over', ending: 'ending what is gone', verifying: 'verifying' } as const

/**
 * For `onProgress`: shows on one line of a terminal how far a pass is. Elsewhere it writes a line after every 10,000
 * documents.
 */
export function progressLine(stream: ProgressStream): (progress: Progress) => void {
  let told = 0
  return ({ step, collection, read, total }) => {
    const text = `${WORDS[step]}: ${read}${outOf(read, total)} documents, ${collection}`
    const isDone = total !== undefined && read >= total
    if (stream.isTTY) stream.write(`\r\u001b[K${text}${isDone ? '\n' : ''}`)
    else if (isDone || read < told || read - told >= EVERY) {
      told = read
      stream.write(`${text}\n`)
    }
  }
}

function outOf(read: number, total: number | undefined): string {
  if (total === undefined) return ''
  return ` (${total === 0 ? 100 : Math.min(100, Math.floor((read / total) * 100))} %) of about ${total}`
}
