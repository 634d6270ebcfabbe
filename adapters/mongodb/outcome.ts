import type { Document } from 'mongodb'
import { StoreRefusedError } from '../../lib/errors.ts'

/**
 * What is known of one insert of a batch. Only these are acknowledgements: a reply without any error, or one whose
 * errors are all E11000 and which has no write-concern error, for what is not in its list. Everything else is unknown.
 */
export type Outcome =
  /** Stored, by a majority, in its journal. */
  | { readonly kind: 'stored' }
  /** A unique index refused it: the position or a claim is taken. */
  | { readonly kind: 'duplicate' }
  /** Never reached: the ordered command stopped before it. */
  | { readonly kind: 'not_tried' }
  /** The server refuses it, and will again, or until it has room on its disk. */
  | { readonly kind: 'refused'; readonly error: unknown }
  | { readonly kind: 'unknown'; readonly error: unknown }

/** What came of a command: the server's reply as it is, or what the driver threw. */
export type Answer = { readonly reply: Document } | { readonly error: unknown }

const DUPLICATE = 11000

/**
 * Codes whose meaning does not change by asking again: BadValue, FailedToParse, Unauthorized, AuthenticationFailed,
 * IllegalOperation, CommandNotFound, CommandNotSupported, DocumentValidationFailure, APIVersionError, APIStrictError,
 * APIDeprecationError, AtlasError, BSONObjectTooLarge, KeyTooLong.
 */
const PERMANENT: ReadonlySet<number> = new Set([2, 9, 13, 18, 20, 59, 115, 121, 322, 323, 324, 8000, 10334, 17280])

/** OutOfDiskSpace, and UserWritesBlocked: Atlas blocks writes before the disk is full to the last byte. */
const DISK_FULL: ReadonlySet<number> = new Set([14031, 371])

/** Atlas gives everything that it refuses by itself one code: wants of rights, limits of a tier, and its quota of room. */
export const ATLAS_ERROR = 8000
const OVER_QUOTA = /space quota/i

/** Waits for the answer of a command, whichever it is. */
export async function answerOf(command: Promise<Document>): Promise<Answer> {
  try {
    return { reply: await command }
  } catch (error) {
    return { error }
  }
}

const STORED: Outcome = { kind: 'stored' }

/** Judges the answer of an unordered `insert` of `size` documents: what became of each. */
export function outcomesOfInsert(answer: Answer, size: number): Outcome[] {
  if ('error' in answer) return all(size, outcomeOfFailure(answer.error))
  const { reply } = answer
  const writeErrors = writeErrorsOf(reply)
  const isCounted = Number(reply['n']) + writeErrors.length === size
  if (writeErrors.length === 0 && isCounted && !hasWriteConcernError(reply)) return all(size, STORED)
  const error = new WriteError(reply)
  if (hasWriteConcernError(reply)) return all(size, { kind: 'unknown', error })
  // Any other error among them may have stopped the server before it came to the others.
  const isComplete = writeErrors.every(({ code }) => Number(code) === DUPLICATE)
  const outcomes = all(size, isComplete && isCounted ? STORED : { kind: 'unknown', error })
  for (const { index, code } of writeErrors) {
    if (Number(index) in outcomes) outcomes[Number(index)] = outcomeOfCode(code, error)
  }
  return outcomes
}

/** Judges the answer of the fast path's ordered `bulkWrite`: statement 0 moves the counter, `size` inserts follow. */
export function outcomesOfFastPath(answer: Answer, size: number): Outcome[] {
  if ('error' in answer) return all(size, outcomeOfFailure(answer.error))
  const { reply } = answer
  const failures = failedStatements(reply)
  const isCounted = Number(reply['nInserted']) === size
  if (failures?.length === 0 && isCounted && !hasWriteConcernError(reply)) return all(size, STORED)
  const error = new WriteError(reply)
  const [failure, second] = failures ?? []
  if (!failure || second || hasWriteConcernError(reply)) return all(size, { kind: 'unknown', error })
  const failed = Number(failure['idx'])
  const code = Number(failure['code'])
  if (failed === 0 && isRefusal(code)) return all(size, { kind: 'refused', error })
  return all(size, STORED).map((_, index) => {
    if (failed > index + 1) return code === DUPLICATE ? STORED : { kind: 'unknown', error }
    if (failed < index + 1) return { kind: 'not_tried' }
    return outcomeOfCode(code, error)
  })
}

function all(size: number, outcome: Outcome): Outcome[] {
  return new Array<Outcome>(size).fill(outcome)
}

/** Whether the fast path stopped at the counter: it had moved, and nothing else was tried. */
export function counterMoved(answer: Answer): boolean {
  if ('error' in answer || hasWriteConcernError(answer.reply)) return false
  const failures = failedStatements(answer.reply)
  return failures?.length === 1 && Number(failures[0]?.['idx']) === 0 && Number(failures[0]?.['code']) === DUPLICATE
}

/** The errors of the documents of an `insert` or `update`. */
export function writeErrorsOf(reply: Document): readonly Document[] {
  const errors: unknown = reply['writeErrors']
  return Array.isArray(errors) ? errors : []
}

/** A reply that says that something was not written, or not by a majority. */
export class WriteError extends Error {
  /** The server's codes for what was not written; none where the write concern failed, which leaves all open. */
  readonly codes: readonly number[]
  get code(): number | undefined {
    return this.codes[0]
  }
  override get name(): string {
    return 'MongoWriteError'
  }
  constructor(reply: Document) {
    const errors = [...writeErrorsOf(reply), ...(failedStatements(reply) ?? [])]
    const [first] = errors
    const concern: unknown = reply['writeConcernError']
    const why = first ?? (isDocument(concern) ? concern : undefined)
    super(typeof why?.['errmsg'] === 'string' ? why['errmsg'] : 'the server did not say that everything was written')
    this.codes = hasWriteConcernError(reply) ? [] : errors.map(({ code }) => Number(code))
  }
}

/** @throws WriteError when the reply of an `update`, `delete` or `insert` tells of any error */
export function assertWritten(reply: Document): void {
  if (writeErrorsOf(reply).length > 0 || hasWriteConcernError(reply)) throw new WriteError(reply)
}

/** Whether a unique index refused a single write. */
export function isDuplicate(error: unknown): boolean {
  return codeOf(error) === DUPLICATE && !labelsOf(error).includes('RetryableWriteError')
}

/** Whether asking again will not help. */
export function isPermanent(error: unknown): boolean {
  if (error instanceof StoreRefusedError) return true
  const code = codeOf(error)
  return code !== undefined && PERMANENT.has(code)
}

/** Whether the server has no room left on its disk: it says so before it writes. */
export function isDiskFull(error: unknown): boolean {
  const codes = error instanceof WriteError ? error.codes : [codeOf(error)]
  if (codes.some((code) => code !== undefined && DISK_FULL.has(code))) return true
  return codes.includes(ATLAS_ERROR) && OVER_QUOTA.test(String((error as Error).message))
}

/**
 * The server's code in an error of the driver, whichever copy of it threw. Judged by name, since a number as `code` says
 * nothing: an AbortError of the platform has the code 20.
 */
export function codeOf(error: unknown): number | undefined {
  if (!isDocument(error)) return undefined
  const { name, code, cause, originalError } = error
  if (typeof name !== 'string' || !name.startsWith('Mongo')) return undefined
  const own = Number(code)
  return code !== undefined && Number.isFinite(own) ? own : (codeOf(cause) ?? codeOf(originalError))
}

function labelsOf(error: unknown): readonly unknown[] {
  const labels = isDocument(error) ? error['errorLabels'] : undefined
  return Array.isArray(labels) ? labels : []
}

function outcomeOfFailure(error: unknown): Outcome {
  return isPermanent(error) && !isConcernError(error) ? { kind: 'refused', error } : { kind: 'unknown', error }
}

function outcomeOfCode(code: unknown, error: unknown): Outcome {
  if (Number(code) === DUPLICATE) return { kind: 'duplicate' }
  return isRefusal(Number(code)) ? { kind: 'refused', error } : { kind: 'unknown', error }
}

/** Whether a document with this error was not written, and is not going to be. */
function isRefusal(code: number): boolean {
  return PERMANENT.has(code) || DISK_FULL.has(code)
}

/** The driver throws a reply that has a write-concern error, with whatever else it says: all of that is unknown. */
function isConcernError(error: unknown): boolean {
  return isDocument(error) && error['name'] === 'MongoWriteConcernError'
}

function hasWriteConcernError(reply: Document): boolean {
  return reply['writeConcernError'] !== undefined && reply['writeConcernError'] !== null
}

/** The failures in the answer of a `bulkWrite`. Undefined: the answer does not tell all of them. */
function failedStatements(reply: Document): readonly Document[] | undefined {
  const cursor: unknown = reply['cursor']
  if (!isDocument(cursor) || !Array.isArray(cursor['firstBatch']) || Number(cursor['id']) !== 0) return undefined
  return cursor['firstBatch'].filter((statement: Document) => Number(statement['ok']) !== 1)
}

function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null
}
