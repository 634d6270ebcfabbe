/**
 * Arrows, Home and End go from row to row of a table, on the control of each row that is marked with `data-row`. Enter
 * and Space do what they do on that control.
 */
export function moveBetweenRows(event: KeyboardEvent): void {
  const table = event.currentTarget
  if (!(table instanceof HTMLElement) || !(event.target instanceof Element)) return
  if (event.target.closest('.detail-row, select, textarea, input:not([type=checkbox])')) return
  const stops = [...table.querySelectorAll<HTMLElement>('[data-row]')]
  const at = stops.findIndex((stop) => stop.closest('tr') === (event.target as Element).closest('tr'))
  const to = targetOf(event.key, at, stops.length)
  const stop = to === undefined ? undefined : stops[to]
  if (!stop) return
  event.preventDefault()
  stop.focus()
}

function targetOf(key: string, at: number, length: number): number | undefined {
  switch (key) {
    case 'ArrowDown':
      return Math.min(at + 1, length - 1)
    case 'ArrowUp':
      return Math.max(at - 1, 0)
    case 'Home':
      return 0
    case 'End':
      return length - 1
    default:
      return undefined
  }
}
