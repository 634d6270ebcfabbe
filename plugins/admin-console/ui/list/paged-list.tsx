import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { LiveTopic, Page } from '../../api/contract.ts'
import { Failing, Loading, Outdated } from '../parts/states.tsx'
import { counted } from '../parts/words.ts'
import { navigate, place, withQuery } from '../routing/location.ts'
import { apiUrl, type Query } from '../server/request.ts'
import { useResource } from '../server/resource.ts'
import { type Column, ListTable } from './list-table.tsx'
import { Pager } from './pager.tsx'
import type { Selection } from './selection.ts'

/** So many rows are on a page. */
const ROWS = 100

/** So many pages without a row are passed over at once; then the operator is asked. */
const MOST_EMPTY_PAGES = 10

export interface PagedListProps<T> {
  /** What the rows are, in the plural: for captions and screen readers. */
  readonly what: string
  readonly route: string
  readonly query?: Query
  /** The list is asked for again when one of these has changed. */
  readonly topics: readonly (LiveTopic | 'log')[]
  readonly keyOf: (row: T) => string
  /** What a row is called by its checkbox and its button. */
  readonly nameOf: (row: T) => string
  readonly columns: readonly Column<T>[]
  /** What a row holds beside its columns; it opens below the row. */
  readonly detail?: (row: T) => ComponentChildren
  readonly selection?: Selection<T>
  /** In place of rows where there are none at all. */
  readonly empty: ComponentChildren
}

/** A list of the server, page by page: the page, the row that is open and the filter are in the URL. */
export function PagedList<T>(props: PagedListProps<T>) {
  const { what, route, query = {}, topics, selection } = props
  const cursor = place.value.query.get('cursor') ?? undefined
  const { state, reload } = useResource<Page<T>>(apiUrl(route, { ...query, cursor, limit: ROWS }), topics)
  const { value: page, failure, isLoading, url } = state.value
  const filter = JSON.stringify(query)
  const looked = useLooked(page, filter, url)
  useEffect(() => selection?.clear(), [filter, selection])
  if (page === undefined) {
    if (!failure) return <Loading what={what} />
    return (
      <>
        <Failing failure={failure} retry={reload} />
        {failure.code === 'CURSOR_INVALID' && <Pager next={undefined} what={what} />}
      </>
    )
  }
  const isEmpty = page.items.length === 0
  return (
    <section class="list" aria-label={what} aria-busy={isLoading}>
      {failure && <Outdated failure={failure} retry={reload} />}
      {isEmpty && <NoRows page={page} looked={looked.total} isWalking={looked.isWalking} empty={props.empty} />}
      {!isEmpty && <ListTable {...props} rows={page.items} url={url ?? ''} />}
      <Pager next={page.next} what={what} />
    </section>
  )
}

function NoRows<T>({
  page,
  looked,
  isWalking,
  empty,
}: {
  readonly page: Page<T>
  readonly looked: number
  readonly isWalking: boolean
  readonly empty: ComponentChildren
}) {
  if (page.next === undefined) return <>{empty}</>
  return (
    <div class="state empty" role="status">
      <p class="state-title">{isWalking ? 'Looking further…' : 'None found so far'}</p>
      <p>{counted(looked, 'was', 'were')} looked at, and there are more. The newest come first.</p>
      {!isWalking && <p class="hint">Go on with “Next page”, or filter for something else.</p>}
    </div>
  )
}

/** Goes on where the server has looked at as much as one request may cost, and found nothing. */
function useLooked<T>(page: Page<T> | undefined, filter: string, url: string | undefined) {
  const walk = useRef({ filter, total: 0, pages: 0, url: '' })
  if (walk.current.filter !== filter) walk.current = { filter, total: 0, pages: 0, url: '' }
  const isStuck = page !== undefined && page.items.length === 0 && page.next !== undefined
  if (page && url !== undefined && walk.current.url !== url) {
    walk.current.url = url
    walk.current.total = isStuck ? walk.current.total + page.looked : 0
    walk.current.pages = isStuck ? walk.current.pages + 1 : 0
  }
  const isWalking = isStuck && walk.current.pages < MOST_EMPTY_PAGES
  const next = page?.next
  useEffect(() => {
    if (isWalking && next !== undefined)
      navigate(withQuery({ cursor: next }), { replace: true, trail: place.peek().trail })
  }, [isWalking, next])
  return { total: walk.current.total, isWalking }
}
