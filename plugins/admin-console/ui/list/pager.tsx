import { Icon } from '../parts/icon.tsx'
import { hrefOf, navigate, place, withQuery } from '../routing/location.ts'

/** From page to page. The trail back is kept in the browser's history, which a reload does not lose. */
export function Pager({ next, what }: { readonly next: string | undefined; readonly what: string }) {
  const { query, trail } = place.value
  const isFirst = !query.has('cursor')
  if (isFirst && next === undefined) return null
  const first = withQuery({ cursor: undefined, open: undefined })
  const before = trail.at(-1)
  const onward = next === undefined ? undefined : withQuery({ cursor: next, open: undefined })
  const go = (to: string, newTrail: readonly string[]) => (event: MouseEvent) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    navigate(to, { trail: newTrail })
    document.querySelector('main')?.scrollIntoView()
  }
  const here = withQuery({ open: undefined })
  return (
    <nav class="pager" aria-label={`Pages of ${what}`}>
      {!isFirst && (
        <a class="button" href={hrefOf(first)} onClick={go(first, [])}>
          First page
        </a>
      )}
      {before !== undefined && (
        <a class="button" href={hrefOf(before)} onClick={go(before, trail.slice(0, -1))}>
          <Icon name="back" /> Previous page
        </a>
      )}
      <span class="page-number">{isFirst ? 'Page 1' : before === undefined ? '' : `Page ${trail.length + 1}`}</span>
      {onward !== undefined && (
        <a class="button" href={hrefOf(onward)} onClick={go(onward, [...trail, here])}>
          Next page <Icon name="arrow" />
        </a>
      )}
    </nav>
  )
}
