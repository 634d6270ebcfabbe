import { EventStoreError, StoreRefusedError, StoreUnavailableError } from '../../lib/errors.ts'
import { isPermanent } from './outcome.ts'

/**
 * A call to the database, with this package's errors instead of the driver's.
 *
 * @throws StoreRefusedError (`STORE_REFUSED`), StoreUnavailableError (`STORE_UNAVAILABLE`)
 */
export async function reaching<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (cause) {
    if (cause instanceof EventStoreError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    if (isPermanent(cause))
      throw new StoreRefusedError(`MongoDB refuses (${why}): see to the database user's rights`, { cause })
    throw new StoreUnavailableError(`MongoDB cannot be reached or does not answer (${why})`, { cause })
  }
}
