import { EventStoreError, StoreRefusedError, StoreUnavailableError } from '../../lib/errors.ts'
import { isDiskFull, isPermanent } from './outcome.ts'

/** This package's error for what the driver threw. A write that was not answered may have been carried out. */
export function asStoreError(cause: unknown): EventStoreError {
  if (cause instanceof EventStoreError) return cause
  if (isDiskFull(cause)) return diskFull(cause)
  const why = whyOf(cause)
  if (isPermanent(cause)) {
    return new StoreRefusedError(`MongoDB refuses (${why}): check the rights of the database user`, { cause })
  }
  return new StoreUnavailableError(`MongoDB cannot be reached or does not answer (${why})`, { cause })
}

/** The error for a commit that MongoDB has not stored, and will not: for good, or before there is room on its disk. */
export function refusalOfCommit(cause: unknown): StoreRefusedError | StoreUnavailableError {
  if (cause instanceof StoreRefusedError) return cause
  if (isDiskFull(cause)) return diskFull(cause)
  const what = `MongoDB refuses the commit (${whyOf(cause)}): check the database user's rights and the server's log`
  return new StoreRefusedError(what, { cause })
}

function diskFull(cause: unknown): StoreUnavailableError {
  const what = `the disk of the MongoDB server is full (${whyOf(cause)}): nothing was stored. Make room on it, and all goes on`
  return new StoreUnavailableError(what, { cause })
}

/** An error's message. Of what OpenSSL says, the reason alone: it stands between routines, files and lines. */
export function whyOf(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause)
  const reason = /:error:[0-9A-F]+:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1]
  return reason === undefined ? message : `TLS: ${reason}`
}
