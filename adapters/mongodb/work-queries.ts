import type { Document } from 'mongodb'
import { WriteError } from './outcome.ts'

/** Strings that begin so, but for these; compared by code point, so that nothing in the prefix needs escaping. */
export function beginning(
  prefix: string,
  except: readonly string[] = [],
): { $gte: string; $lt?: string; $nin?: string[] } {
  const after = nextText(prefix)
  return { $gte: prefix, ...(after !== undefined && { $lt: after }), ...(except.length > 0 && { $nin: [...except] }) }
}

/** The first text that is behind all that begin with this one, by code points, as MongoDB compares. */
function nextText(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number)
  while (points.at(-1) === 0x10ffff) points.pop()
  const last = points.pop()
  if (last === undefined) return undefined
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
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
