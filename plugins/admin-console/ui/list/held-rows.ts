/** Rows as they are shown while the list is in the operator's hand. */
export interface HeldRows<T> {
  readonly rows: readonly T[]
  /** Rows of the newest page that are not shown yet. */
  readonly added: number
  /** Keys of rows that are shown and are not on the newest page any more. */
  readonly gone: ReadonlySet<string>
}

/**
 * Brings rows that are shown up to date without moving one: each stays where it is, with what is known of it by now.
 * What is new is counted, and what is gone is marked.
 */
export function holdRows<T>(shown: readonly T[], newest: readonly T[], keyOf: (row: T) => string): HeldRows<T> {
  const latest = new Map(newest.map((row) => [keyOf(row), row]))
  const keys = new Set(shown.map(keyOf))
  const gone = new Set([...keys].filter((key) => !latest.has(key)))
  const rows = shown.map((row) => latest.get(keyOf(row)) ?? row)
  const added = [...latest.keys()].filter((key) => !keys.has(key)).length
  return { rows, added, gone }
}
