import type { Document } from 'mongodb'
import { WriteError } from './outcome.ts'

/** Strings that begin so; compared by code point, so that nothing in the prefix needs escaping. */
export function beginning(prefix: string): { $gte: string; $lt?: string } {
  return prefix === '' ? { $gte: '' } : { $gte: prefix, $lt: `${prefix}\u{10ffff}` }
}

/** What the driver's error for a bulk write tells, whichever copy of the driver made it. */
interface BulkWriteFailure {
  readonly result?: {
    getWriteErrors?(): readonly Document[]
    getWriteConcernError?(): unknown
  }
}

/** Whether a bulk write failed for nothing but documents that are there already. */
export function onlyDuplicates(error: unknown): boolean {
  if (error instanceof WriteError) return error.codes.length > 0 && error.codes.every((code) => code === 11000)
  const { result } = (error ?? {}) as BulkWriteFailure
  if (!result?.getWriteErrors || result.getWriteConcernError?.()) return false
  const errors = result.getWriteErrors()
  return errors.length > 0 && errors.every(({ code }) => Number(code) === 11000)
}
