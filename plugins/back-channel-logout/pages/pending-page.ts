import type { Work } from '../../../lib/index.ts'
import { type PendingCriteria, type PendingDelivery, type PendingParts, pendingRows } from '../delivery/pending.ts'
import { cursorAt, hasShape, limitOf, type Page, type PageOptions, placeAt } from './page.ts'

/** So many rows are looked at for a page, and read at a time. */
const MOST_LOOKED = 1_000
const READ_SIZE = 100

type Place = Pick<Work, 'lane' | 'dueAt' | 'id'>

/** A page of what RPs are still to be told of: by client, those due first. */
export async function pendingPage(
  parts: PendingParts,
  criteria: PendingCriteria,
  options: PageOptions<PendingDelivery>,
): Promise<Page<PendingDelivery>> {
  const list = `pending ${criteria.client ?? ''}`
  const { where = () => true } = options
  const limit = limitOf(options)
  const size = Math.min(limit, READ_SIZE)
  const items: PendingDelivery[] = []
  let after = placeAt<Place>(list, options.cursor, isPlace)
  let looked = 0
  for (;;) {
    const rows = await pendingRows(parts, criteria, size, after)
    for (const { row, pending } of rows) {
      looked += 1
      after = { lane: row.lane, dueAt: row.dueAt, id: row.id }
      if (where(pending)) items.push(pending)
      if (items.length === limit) return { items, looked, next: cursorAt(list, after) }
    }
    if (rows.length < size || after === undefined) return { items, looked }
    if (looked >= MOST_LOOKED) return { items, looked, next: cursorAt(list, after) }
  }
}

function isPlace(place: unknown): place is Place {
  return hasShape(place, { lane: 'string', dueAt: 'number', id: 'string' })
}
