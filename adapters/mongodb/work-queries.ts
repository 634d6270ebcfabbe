import { MongoBulkWriteError } from 'mongodb'

/** Strings that begin so; compared by code point, so that nothing in the prefix needs escaping. */
export function beginning(prefix: string): { $gte: string; $lt?: string } {
  return prefix === '' ? { $gte: '' } : { $gte: prefix, $lt: `${prefix}\u{10ffff}` }
}

/** Whether a bulk write failed for nothing but documents that are there already. */
export function onlyDuplicates(error: unknown): boolean {
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError()) return false
  const errors = error.result.getWriteErrors()
  return errors.length > 0 && errors.every(({ code }) => code === 11000)
}
