/** A cell that a spreadsheet would take for a formula. */
const FORMULA = /^[=+\-@\t\r]/

/**
 * A row of a file of comma-separated values (RFC 4180). What strangers chose must not become a formula in the spreadsheet of
 * whoever opens it: such a cell begins with an apostrophe.
 */
export function csvRow(cells: readonly (string | number | undefined)[]): string {
  return `${cells.map(cellOf).join(',')}\r\n`
}

function cellOf(value: string | number | undefined): string {
  if (value === undefined) return ''
  if (typeof value === 'number') return String(value)
  const safe = FORMULA.test(value) ? `'${value}` : value
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
