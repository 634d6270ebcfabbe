import { MongoBulkWriteError, MongoClientBulkWriteError, MongoError, MongoServerError } from 'mongodb'

/**
 * What is known of one insert of a batch. Only these are acknowledgements: a command that returned without error, or
 * one that threw E11000 without a write-concern error, for what is not in its list of errors. The driver wraps cut
 * sockets, fail-overs and even missing rights as a bulk error with an empty list, and E11000 together with a
 * write-concern error too: all of that is unknown.
 */
export type Outcome =
  /** Stored, by a majority, in its journal. */
  | { readonly kind: 'stored' }
  /** A unique index refused it: the position or a claim is taken. */
  | { readonly kind: 'duplicate' }
  /** Never reached: the ordered command stopped before it. */
  | { readonly kind: 'not_tried' }
  /** The server refuses it, and will again. */
  | { readonly kind: 'refused'; readonly error: unknown }
  | { readonly kind: 'unknown'; readonly error: unknown }

const DUPLICATE = 11000

/**
 * Codes whose meaning does not change by asking again: BadValue, FailedToParse, Unauthorized, AuthenticationFailed,
 * IllegalOperation, UnknownError of a missing command, DocumentValidationFailure, CommandNotSupported, APIStrictError, BSONObjectTooLarge.
 */
const PERMANENT: ReadonlySet<number> = new Set([2, 9, 13, 18, 20, 59, 115, 121, 323, 8000, 10334, 17280])

/** Judges an unordered `insertMany`. */
export function outcomeOfInsert(error: unknown, index: number): Outcome {
  if (error === undefined) return { kind: 'stored' }
  if (!(error instanceof MongoBulkWriteError)) return whole(error)
  const writeErrors = error.result.getWriteErrors()
  const mine = writeErrors.find((writeError) => writeError.index === index)
  if (mine?.code === DUPLICATE) return { kind: 'duplicate' }
  if (mine && PERMANENT.has(Number(mine.code))) return { kind: 'refused', error }
  if (mine) return { kind: 'unknown', error }
  if (writeErrors.length === 0) return whole(error)
  // Any other error among them may have stopped the server before it came to this one.
  const sound = writeErrors.every(({ code }) => code === DUPLICATE) && !error.result.getWriteConcernError()
  return sound ? { kind: 'stored' } : { kind: 'unknown', error }
}

/**
 * Judges the quiet path's ordered `client.bulkWrite`: statement 0 moves the counter, the inserts follow.
 *
 * @param index - the insert's own index, 0 for the first insert
 */
export function outcomeOfQuietPath(error: unknown, index: number): Outcome {
  if (error === undefined) return { kind: 'stored' }
  if (!(error instanceof MongoClientBulkWriteError)) return whole(error)
  const [failed] = [...error.writeErrors.keys()]
  if (failed === undefined || !isWhole(error)) return whole(error)
  const code = error.writeErrors.get(failed)?.code
  if (failed === 0 && PERMANENT.has(Number(code))) return { kind: 'refused', error }
  if (failed > index + 1) return code === DUPLICATE ? { kind: 'stored' } : { kind: 'unknown', error }
  if (failed < index + 1) return { kind: 'not_tried' }
  if (code === DUPLICATE) return { kind: 'duplicate' }
  return PERMANENT.has(Number(code)) ? { kind: 'refused', error } : { kind: 'unknown', error }
}

/** Whether the quiet path stopped at the counter: it moved, and nothing else was tried. */
export function counterMoved(error: unknown): boolean {
  return error instanceof MongoClientBulkWriteError && error.writeErrors.get(0)?.code === DUPLICATE && isWhole(error)
}

/** Whether the error is the server's whole answer: nothing went wrong on top of what its list names. */
function isWhole(error: MongoClientBulkWriteError): boolean {
  return error.writeConcernErrors.length === 0 && error.cause === undefined
}

/** Whether a unique index refused a single write. */
export function isDuplicate(error: unknown): boolean {
  return (
    error instanceof MongoServerError && error.code === DUPLICATE && !error.errorLabels.includes('RetryableWriteError')
  )
}

/** Whether asking again will not help. */
export function isPermanent(error: unknown): boolean {
  return error instanceof MongoError && PERMANENT.has(Number(error.code ?? codeBeneath(error)))
}

function whole(error: unknown): Outcome {
  return isPermanent(error) ? { kind: 'refused', error } : { kind: 'unknown', error }
}

/** The driver puts errors of its own around some of the server's: the quiet path's as the cause, IllegalOperation beside it. */
function codeBeneath(error: MongoError): number | undefined {
  const beneath: unknown = error.cause ?? (error instanceof MongoServerError ? error['originalError'] : undefined)
  return beneath instanceof MongoError ? Number(beneath.code ?? codeBeneath(beneath)) : undefined
}
