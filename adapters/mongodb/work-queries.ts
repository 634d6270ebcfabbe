import type { Document } from 'mongodb'
import { WriteError } from './outcome.ts'

/** Strings that begin so; compared by code point, so that nothing in the prefix needs escaping. */
export function beginning(prefix: string): { $gte: string; $lt?: string } {
  return prefix === '' ? { $gte: '' } : { $gte: prefix, $lt: `${prefix}\u{10ffff}` }
}

/** What the driver's own error for a bulk write tells, whichever copy of the driver threw it. */
interface BulkWriteFailure {
  readonly result?: { getWriteErrors?(): readonly Document[]; getWriteConcernError?(): unknown }
}

/** Whether a bulk write failed for nothing but documents that are there already. */
export function onlyDuplicates(error: unknown): boolean {
  const codes = codesOf(error)
  return codes.length > 0 && codes.every((code) => code === 11000)
}

function codesOf(error: unknown): readonly number[] {
  if (error instanceof WriteError) return error.codes
  const { result } = (error ?? {}) as BulkWriteFailure
  if (!result?.getWriteErrors || result.getWriteConcernError?.()) return []
  return result.getWriteErrors().map(({ code }) => Number(code))
}
