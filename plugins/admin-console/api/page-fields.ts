import { type Fields, text } from '../../../lib/web/fields.ts'
import { limitIn } from '../../../lib/web/some-of.ts'
import { WebError } from '../../../lib/web/web-error.ts'

/** What every list takes. */
export const PAGE_FIELDS: readonly string[] = ['cursor', 'limit']

/** A cursor is longer than other text. */
const CURSOR_CHARS = 8_192

/** @throws WebError (`FIELD_INVALID`, `CURSOR_INVALID`) */
export function pageIn(fields: Fields): { readonly limit: number; readonly cursor?: string } {
  const cursor = fields['cursor']
  const limit = limitIn(fields)
  if (cursor === undefined) return { limit }
  if (typeof cursor !== 'string' || cursor.length > CURSOR_CHARS) throw cursorInvalid()
  return { limit, cursor }
}

/**
 * What a list answers; a cursor that it refuses is told as such.
 *
 * @throws WebError (`CURSOR_INVALID`), and what the list throws
 */
export async function pageOf<T>(page: Promise<T>): Promise<T> {
  try {
    return await page
  } catch (error) {
    if (error instanceof Error && 'option' in error && error.option === 'cursor') throw cursorInvalid()
    throw error
  }
}

/** The criteria that are given, without those that are not. */
export function given(fields: Fields, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = text(fields, name)
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

export function cursorInvalid(): WebError {
  return new WebError(400, 'CURSOR_INVALID', 'the cursor is none of this list: begin it again')
}
