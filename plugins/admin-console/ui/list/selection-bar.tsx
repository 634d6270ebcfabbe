import type { ComponentChildren } from 'preact'
import { counted, number } from '../parts/words.ts'
import type { Selection } from './selection.ts'

interface SelectionBarProps<T> {
  readonly selection: Selection<T>
  /** What a row is. */
  readonly one: string
  readonly children: ComponentChildren
}

/** What can be done with the rows that are checked. It stands at the lower edge while there are some. */
export function SelectionBar<T>({ selection, one, children }: SelectionBarProps<T>) {
  const { size, max, isFull } = selection
  return (
    <div class="selection-bar" role="status" hidden={size === 0}>
      {size > 0 && (
        <>
          <span>
            {counted(size, one)} selected{isFull ? `: no more than ${number(max)} at once` : ''}
          </span>
          <div class="buttons">
            <button type="button" onClick={() => selection.clear()}>
              Clear
            </button>
            {children}
          </div>
        </>
      )}
    </div>
  )
}
