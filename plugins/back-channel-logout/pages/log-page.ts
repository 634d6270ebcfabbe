import { cursorAt, hasShape, limitOf, type Page, type PageOptions, placeAt } from './page.ts'

/** Something of a list that lies in the log, and where: in which commit, and as which of that commit. */
export interface Placed<T> {
  readonly item: T
  readonly position: number
  readonly index: number
}

/** A page of the log, the newest commits first, and what is in it. */
export interface LogPage<T> {
  readonly found: readonly Placed<T>[]
  /** How many commits were read, and the last of them. */
  readonly looked: number
  readonly last: number
}

/** How a list is read from the log, the newest first. */
export interface LogList<T> {
  /** Names the list: a cursor is good for one alone. */
  readonly name: string
  /** Where the log ends. */
  end(): Promise<number>
  /**
   * From `to` on downwards, as the list stood when the log ended at `end`.
   *
   * @param size - so many commits are read at a time
   */
  read(range: { readonly end: number; readonly to: number; readonly size: number }): AsyncIterable<LogPage<T>>
}

/** So many commits are read for a page. */
const MOST_LOOKED = 1_000

/** So many commits are read at a time, at most. */
const READ_SIZE = 100

/** Where a list goes on: in this commit, behind what was told of it; as it stood when the log ended at `end`. */
interface Place {
  readonly end: number
  readonly to: number
  /** The last of the commit's that was told; absent: none of them. */
  readonly after?: number
}

/** A page of a list that lies in the log. */
export async function logPage<T>(list: LogList<T>, options: PageOptions<T>): Promise<Page<T>> {
  const { end, to, after } = placeAt<Place>(list.name, options.cursor, isPlace) ?? (await beginning(list))
  const { where = () => true } = options
  const limit = limitOf(options)
  const items: T[] = []
  const nextAt = (next: Omit<Place, 'end'>): string => cursorAt(list.name, { end, ...next })
  let looked = 0
  for await (const page of list.read({ end, to, size: Math.min(limit, READ_SIZE) })) {
    looked += page.looked
    for (const { item, position, index } of page.found) {
      if (position === to && after !== undefined && index <= after) continue
      if (where(item)) items.push(item)
      if (items.length === limit) return { items, looked, next: nextAt({ to: position, after: index }) }
    }
    if (looked >= MOST_LOOKED && page.last > 1) return { items, looked, next: nextAt({ to: page.last - 1 }) }
  }
  return { items, looked }
}

async function beginning(list: Pick<LogList<never>, 'end'>): Promise<Place> {
  const end = await list.end()
  return { end, to: end }
}

function isPlace(place: unknown): place is Place {
  return hasShape(place, { end: 'whole', to: 'whole', 'after?': 'whole' })
}
