import { useSignal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import { type HeldRows, holdRows } from './held-rows.ts'
import type { Selection } from './selection.ts'

interface Holding<T> extends HeldRows<T> {
  /** Shows the newest rows. */
  readonly release: () => void
  readonly enter: () => void
  readonly leave: () => void
  readonly focus: () => void
  readonly blur: (event: FocusEvent) => void
}

/** The rows of a list that is asked for again and again, still while they are in the operator's hand. */
export function useHeldRows<T>(
  newest: readonly T[],
  url: string,
  keyOf: (row: T) => string,
  selection: Selection<T> | undefined,
): Holding<T> {
  const isPointed = useSignal(false)
  const isFocused = useSignal(false)
  const released = useSignal(0)
  const shown = useRef({ url, release: 0, rows: newest })
  const isHeld = isPointed.value || isFocused.value || (selection?.size ?? 0) > 0
  const isAnother = shown.current.url !== url || shown.current.release !== released.value
  const held = isHeld && !isAnother ? holdRows(shown.current.rows, newest, keyOf) : allOf(newest)
  shown.current = { url, release: released.value, rows: held.rows }
  return {
    ...held,
    release: () => {
      released.value += 1
    },
    enter: () => {
      isPointed.value = true
    },
    leave: () => {
      isPointed.value = false
    },
    focus: () => {
      isFocused.value = true
    },
    blur: ({ currentTarget, relatedTarget }) => {
      isFocused.value =
        currentTarget instanceof Node && relatedTarget instanceof Node && currentTarget.contains(relatedTarget)
    },
  }
}

function allOf<T>(rows: readonly T[]): HeldRows<T> {
  return { rows, added: 0, gone: new Set() }
}
