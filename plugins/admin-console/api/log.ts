import type { Commit, EventStore } from '../../../lib/index.ts'
import { assertKnown, requiredText } from '../../../lib/web/fields.ts'
import { commitRow } from '../live/commit-row.ts'
import type { LogPage } from './contract.ts'
import { cursorInvalid, PAGE_FIELDS, pageIn } from './page-fields.ts'
import type { Route } from './route.ts'

/** The log's tail, the newest commit first. */
export const showLog: Route = {
  role: 'viewer',
  async handle({ store, fields }) {
    assertKnown(fields, PAGE_FIELDS)
    const { limit, cursor } = pageIn(fields)
    return { body: await tailOf(store, limit, cursor === undefined ? undefined : positionIn(cursor)) }
  },
}

/** Tokens may be long: as much as the body of a request holds. The page takes as much. */
const MOST_CHARS = 16_000

/** What became of a token or an id. It may be a credential: it is not answered, and nobody logs it. */
export const explain: Route = {
  role: 'viewer',
  async handle({ op, fields }) {
    assertKnown(fields, ['thing'])
    return { body: await op.explain(requiredText(fields, 'thing', MOST_CHARS).trim()) }
  },
}

/** So many reads find a page, each of twice as many positions: retention has removed most of an old log. */
const MOST_READS = 8

/** So many positions are read at a time, at most: there may be a commit at each of them. */
const MOST_SIZE = 1_000

/** @param before - only what is below this position. Default: everything */
async function tailOf(store: EventStore, limit: number, before: number | undefined): Promise<LogPage> {
  let below = before ?? (await store.end()) + 1
  let found: Commit[] = []
  let looked = 0
  for (
    let reads = 0, size = limit;
    reads < MOST_READS && below > 1 && found.length < limit;
    reads++, size = Math.min(2 * size, MOST_SIZE)
  ) {
    const after = Math.max(0, below - 1 - size)
    const page = await store.readAll({ after, limit: below - 1 - after })
    found = [...found, ...page.filter(({ position }) => position < below).reverse()]
    looked += below - 1 - after
    below = after + 1
  }
  const items = found.slice(0, limit).map(commitRow)
  const last = found.length > limit ? items.at(-1)?.position : below
  return { items, looked, ...(last !== undefined && last > 1 && { next: String(last) }) }
}

function positionIn(cursor: string): number {
  if (!/^\d{1,15}$/.test(cursor)) throw cursorInvalid()
  return Number(cursor)
}
