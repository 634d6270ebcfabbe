import { type Fields, invalid, wholeNumber } from './fields.ts'

/** How many of a list are told, where the request does not say, and at most. */
const USUAL = 50
const MOST = 200

/** @throws WebError (`FIELD_INVALID`) */
export function limitIn(fields: Fields): number {
  const limit = wholeNumber(fields, 'limit') ?? USUAL
  if (limit < 1 || limit > MOST) throw invalid('limit', `must be from 1 to ${MOST}`)
  return limit
}

/** The first of them, and whether there are more. */
export async function firstOf<T>(
  items: AsyncIterable<T>,
  limit: number,
): Promise<{ readonly items: T[]; readonly more: boolean }> {
  const found: T[] = []
  for await (const item of items) {
    if (found.length === limit) return { items: found, more: true }
    found.push(item)
  }
  return { items: found, more: false }
}
