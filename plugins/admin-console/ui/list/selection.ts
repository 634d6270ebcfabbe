import { type Signal, signal } from '@preact/signals'

/** Rows that are checked, across the pages of a list. */
export class Selection<T> {
  readonly #rows: Signal<ReadonlyMap<string, T>> = signal(new Map())
  readonly max: number

  /** @param max so many can be checked at most: what one request takes */
  constructor(max: number) {
    this.max = max
  }

  get size(): number {
    return this.#rows.value.size
  }

  get rows(): readonly T[] {
    return [...this.#rows.value.values()]
  }

  get isFull(): boolean {
    return this.size >= this.max
  }

  has(key: string): boolean {
    return this.#rows.value.has(key)
  }

  set(entries: readonly (readonly [key: string, row: T])[], isChecked: boolean): void {
    const changed = new Map(this.#rows.value)
    for (const [key, row] of entries) {
      if (!isChecked) changed.delete(key)
      else if (changed.size < this.max) changed.set(key, row)
    }
    this.#rows.value = changed
  }

  clear(): void {
    if (this.#rows.peek().size > 0) this.#rows.value = new Map()
  }
}
