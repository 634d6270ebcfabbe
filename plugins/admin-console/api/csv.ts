/**
 * Where a spreadsheet would begin a formula: at the beginning of a cell, and behind what some take for the end of one, where
 * the country has another separator than the comma.
 */
const FORMULA = /(^|[;\t\r\n])(?="*[=+\-@\t\r])/g

/**
 * A row of a file of comma-separated values (RFC 4180). What strangers chose must not become a formula in the spreadsheet of
 * whoever opens it: an apostrophe stands before it.
 */
export function csvRow(cells: readonly (string | number | undefined)[]): string {
  return `${cells.map(cellOf).join(',')}\r\n`
}

function cellOf(value: string | number | undefined): string {
  if (value === undefined) return ''
  if (typeof value === 'number') return String(value)
  const safe = value.replace(FORMULA, "$1'")
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
