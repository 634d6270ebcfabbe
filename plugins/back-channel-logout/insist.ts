import { type Clock, CommitInvalidError, CommitTooLargeError, type Logger } from '../../lib/index.ts'

/** How long it waits between two tries at most, in milliseconds. */
const WAIT_MOST_MS = 5_000

/** What is known must be written down: goes on until the store takes it, or this process stops. */
export async function insist<T>(
  write: () => Promise<T>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  stopping: AbortSignal,
): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await write()
    } catch (error) {
      if (stopping.aborted || isHopeless(error)) throw error
      if (tries === 0) logger.warn({ err: error }, 'the outcome of a delivery cannot be recorded yet')
      await clock.sleep(Math.min(WAIT_MOST_MS, 50 * 2 ** tries), stopping)
    }
  }
}

/** Writing it again will not help: what is written is at fault, not the store. */
function isHopeless(error: unknown): boolean {
  return error instanceof CommitInvalidError || error instanceof CommitTooLargeError
}
