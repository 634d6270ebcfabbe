import type { ComponentChildren } from 'preact'
import { Icon } from '../parts/icon.tsx'
import { counted } from '../parts/words.ts'
import { place } from '../routing/location.ts'
import { changeOpen } from './open-row.ts'
import type { PagedListProps } from './paged-list.tsx'
import { moveBetweenRows } from './row-keys.ts'
import type { Selection } from './selection.ts'
import { useHeldRows } from './use-held-rows.ts'

export interface Column<T> {
  readonly head: string
  readonly cell: (row: T) => ComponentChildren
  readonly kind?: 'number' | 'grow' | 'actions'
}

interface ListTableProps<T> extends PagedListProps<T> {
  readonly rows: readonly T[]
  /** What the rows are of: another URL is another list. */
  readonly url: string
}

/**
 * Rows with a header; on a phone each row is a card. While the pointer or the focus is in it, or a row is checked, no row
 * moves: what is new is announced by a button.
 */
export function ListTable<T>(props: ListTableProps<T>) {
  const { rows: newest, url, keyOf, what, columns, detail, selection } = props
  const held = useHeldRows(newest, url, keyOf, selection)
  const open = place.value.query.get('open')
  return (
    <div
      class="held-list"
      onPointerEnter={held.enter}
      onPointerLeave={held.leave}
      onFocusIn={held.focus}
      onFocusOut={held.blur}
    >
      {held.added > 0 && (
        <button type="button" class="new-rows small" onClick={held.release}>
          <Icon name="replay" /> Show {counted(held.added, 'new row')}
        </button>
      )}
      <div class="table-frame">
        <table onKeyDown={moveBetweenRows}>
          <caption class="visually-hidden">{what}</caption>
          <thead>
            <tr>
              {selection && <HeadCheckbox rows={held.rows} keyOf={keyOf} selection={selection} />}
              {detail && (
                <th scope="col" class="opener">
                  <span class="visually-hidden">Details</span>
                </th>
              )}
              {columns.map(({ head, kind }) => (
                <th key={head} scope="col" class={kind}>
                  {kind === 'actions' ? <span class="visually-hidden">{head}</span> : head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {held.rows.map((row) => {
              const key = keyOf(row)
              return <Row key={key} {...props} row={row} id={key} isOpen={open === key} isGone={held.gone.has(key)} />
            })}
          </tbody>
        </table>
      </div>
    </div>
  )
}

interface RowProps<T> extends ListTableProps<T> {
  readonly row: T
  readonly id: string
  readonly isOpen: boolean
  /** The newest page does not hold it any more. */
  readonly isGone: boolean
}

function Row<T>({ row, id, isOpen, isGone, columns, detail, selection, nameOf }: RowProps<T>) {
  const name = nameOf(row)
  const width = columns.length + (selection ? 2 : 1)
  return (
    <>
      <tr class={`${isGone ? 'gone' : ''}${isOpen ? ' open' : ''}`}>
        {selection && (
          <td class="checkbox">
            <input
              type="checkbox"
              aria-label={`Select ${name}`}
              checked={selection.has(id)}
              disabled={!selection.has(id) && selection.isFull}
              onChange={({ currentTarget }) => selection.set([[id, row]], currentTarget.checked)}
            />
          </td>
        )}
        {detail && (
          <td class="opener">
            <button
              type="button"
              class="bare"
              data-row
              aria-expanded={isOpen}
              aria-label={`Details of ${name}`}
              onClick={() => changeOpen(isOpen ? undefined : id)}
            >
              <Icon name="chevron" />
            </button>
          </td>
        )}
        {columns.map(({ head, kind, cell }) => (
          <td key={head} class={kind} data-head={head}>
            {cell(row)}
          </td>
        ))}
      </tr>
      {detail && isOpen && (
        <tr class="detail-row">
          <td colSpan={width}>{detail(row)}</td>
        </tr>
      )}
    </>
  )
}

interface HeadCheckboxProps<T> {
  readonly rows: readonly T[]
  readonly keyOf: (row: T) => string
  readonly selection: Selection<T>
}

function HeadCheckbox<T>({ rows, keyOf, selection }: HeadCheckboxProps<T>) {
  const checked = rows.filter((row) => selection.has(keyOf(row))).length
  return (
    <th scope="col" class="checkbox">
      <input
        type="checkbox"
        aria-label="Select all rows of this page"
        checked={checked > 0 && checked === rows.length}
        indeterminate={checked > 0 && checked < rows.length}
        onChange={({ currentTarget }) =>
          selection.set(
            rows.map((row) => [keyOf(row), row]),
            currentTarget.checked,
          )
        }
      />
    </th>
  )
}
