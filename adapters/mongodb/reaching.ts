import type { Clock } from '../../lib/clock.ts'
import { EventStoreError, StoreRefusedError, StoreUnavailableError } from '../../lib/errors.ts'
import { isPermanent } from './outcome.ts'

/** How long a call may take, in milliseconds. The driver would wait for an answer for ever, and a user with it. */
const PATIENCE_MS = 10_000

/**
 * A call to the database, with this package's errors instead of the driver's, and an answer in time. A write that was
 * not answered may have happened: what is written here is such that doing it again does no harm.
 *
 * @throws StoreRefusedError (`STORE_REFUSED`), StoreUnavailableError (`STORE_UNAVAILABLE`)
 */
export function reaching<T>(call: Promise<T>, clock: Clock): Promise<T> {
  return new Promise((resolve, reject) => {
    const impatient = clock.setTimeout(() => {
      reject(new StoreUnavailableError(`MongoDB has not answered for ${PATIENCE_MS / 1_000} s`))
    }, PATIENCE_MS)
    call.then(resolve, (cause: unknown) => reject(asOurs(cause))).finally(() => impatient.cancel())
  })
}

function asOurs(cause: unknown): EventStoreError {
  if (cause instanceof EventStoreError) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  if (isPermanent(cause)) {
    return new StoreRefusedError(`MongoDB refuses (${why}): see to the database user's rights`, { cause })
  }
  return new StoreUnavailableError(`MongoDB cannot be reached or does not answer (${why})`, { cause })
}
