import { type Clock, EventStoreError, type Logger } from '../../../lib/index.ts'
import { isStoreUnavailable } from './store-unavailable.ts'

/** How long it waits between two tries at most, in milliseconds. */
const WAIT_MOST_MS = 5_000

/** How long it goes on, in milliseconds: what is in hand is given to others then, when the store takes that. */
export const INSIST_MS = 600_000

/**
 * What is known must be written down: goes on until the store takes it, for ten minutes, or this process stops.
 *
 * @throws what waiting does not mend, at once; what it failed with last, when the time is over
 */
export async function retryUntilStored<T>(
  write: () => Promise<T>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  stopping: AbortSignal,
): Promise<T> {
  const began = clock.monotonic()
  for (let tries = 0; ; tries++) {
    try {
      return await write()
    } catch (error) {
      const isOver = clock.monotonic() - began >= INSIST_MS
      if (stopping.aborted || isOver || !mayPass(error)) throw error
      if (tries === 0)
        logger.warn(
          { event: 'record_delayed', err: error },
          'what was done cannot be recorded yet; this process goes on trying',
        )
      await clock.sleep(Math.min(WAIT_MOST_MS, 50 * 2 ** tries), stopping)
    }
  }
}

const MISTAKES = [TypeError, RangeError, ReferenceError, SyntaxError]

/**
 * Whether waiting may help. Not with what this package says of the data (an event that it does not know, a key that is
 * missing), nor with a mistake in the code. What is none of either is the store's own trouble: a driver's, a disk's.
 */
function mayPass(error: unknown): boolean {
  if (error instanceof EventStoreError) return isStoreUnavailable(error)
  return !MISTAKES.some((Mistake) => error instanceof Mistake)
}
