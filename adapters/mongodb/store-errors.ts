import { EventStoreError, StoreRefusedError, StoreUnavailableError } from '../../lib/errors.ts'
import { isPermanent } from './outcome.ts'

/** This package's error for what the driver threw. A write that was not answered may have been carried out. */
export function asStoreError(cause: unknown): EventStoreError {
  if (cause instanceof EventStoreError) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  if (isPermanent(cause)) {
    return new StoreRefusedError(`MongoDB refuses (${why}): check the rights of the database user`, { cause })
  }
  return new StoreUnavailableError(`MongoDB cannot be reached or does not answer (${why})`, { cause })
}

/** The error for a commit that MongoDB refuses for good. */
export function refusalOfCommit(cause: unknown): StoreRefusedError {
  if (cause instanceof StoreRefusedError) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  const what = `MongoDB refuses the commit (${why}): check the database user's rights and the server's log`
  return new StoreRefusedError(what, { cause })
}
