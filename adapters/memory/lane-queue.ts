import type { Work } from '../../lib/log/work-table.ts'

/** By due time, then by id; text by code units, as MongoDB's binary comparison does for what is not beyond the BMP. */
export function compareDue(a: Pick<Work, 'dueAt' | 'id'>, b: Pick<Work, 'dueAt' | 'id'>): number {
  return a.dueAt - b.dueAt || compareText(a.id, b.id)
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** So many rows that wait no longer may be left, beside as many as wait. */
const MOST_LEFT = 16

/**
 * What waits in one lane, the first due first: a binary heap, so that a row costs its logarithm in a lane where a hundred
 * thousand wait. A row that waits no longer stays in the heap until it is the first, or until most rows are such.
 */
export class LaneQueue {
  readonly #isWaiting: (work: Work) => boolean
  readonly #compare: typeof compareDue
  #heap: Work[] = []
  #size = 0

  /** @param isWaiting - whether this is a row as it stands now, and waits */
  constructor(isWaiting: (work: Work) => boolean, compare: typeof compareDue = compareDue) {
    this.#isWaiting = isWaiting
    this.#compare = compare
  }

  /** How many wait. */
  get size(): number {
    return this.#size
  }

  add(work: Work): void {
    this.#size += 1
    this.#push(work)
  }

  /** One that was added waits no longer, as `isWaiting` says by now. */
  dropped(): void {
    this.#size -= 1
    if (this.#heap.length <= 2 * this.#size + MOST_LEFT) return
    this.#heap = this.rows()
    for (let i = (this.#heap.length >> 1) - 1; i >= 0; i--) this.#sink(i)
  }

  first(): Work | undefined {
    for (let [first] = this.#heap; first; [first] = this.#heap) {
      if (this.#isWaiting(first)) return first
      this.#pop()
    }
    return undefined
  }

  /** The first of those that are due by then, at most so many, in order. */
  due(most: number, now: number): Work[] {
    const due: Work[] = []
    for (let first = this.first(); first && first.dueAt <= now && due.length < most; first = this.first()) {
      due.push(first)
      this.#pop()
    }
    for (const work of due) this.#push(work)
    return due
  }

  /** All that wait, in no order. */
  rows(): Work[] {
    return this.#heap.filter((work) => this.#isWaiting(work))
  }

  #push(work: Work): void {
    const heap = this.#heap
    let at = heap.push(work) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (this.#compare(heap[above] as Work, work) <= 0) break
      heap[at] = heap[above] as Work
      at = above
    }
    heap[at] = work
  }

  #pop(): void {
    const last = this.#heap.pop()
    if (last === undefined || this.#heap.length === 0) return
    this.#heap[0] = last
    this.#sink(0)
  }

  #sink(from: number): void {
    const heap = this.#heap
    const work = heap[from] as Work
    let at = from
    for (let below = 2 * at + 1; below < heap.length; below = 2 * at + 1) {
      const right = below + 1
      if (right < heap.length && this.#compare(heap[right] as Work, heap[below] as Work) < 0) below = right
      if (this.#compare(work, heap[below] as Work) <= 0) break
      heap[at] = heap[below] as Work
      at = below
    }
    heap[at] = work
  }
}
