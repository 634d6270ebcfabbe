import TinyQueue from 'tinyqueue'
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
 * What waits in one lane, the first due first: in a binary heap, so that a row costs its logarithm in a lane where a hundred
 * thousand wait. A row that waits no longer stays in the heap until it is the first, or until most rows are such.
 */
export class LaneQueue {
  readonly #isWaiting: (work: Work) => boolean
  readonly #compare: typeof compareDue
  #heap: TinyQueue<Work>
  #size = 0

  /** @param isWaiting - whether this is a row as it stands now, and waits */
  constructor(isWaiting: (work: Work) => boolean, compare: typeof compareDue = compareDue) {
    this.#isWaiting = isWaiting
    this.#compare = compare
    this.#heap = new TinyQueue<Work>([], compare)
  }

  /** How many wait. */
  get size(): number {
    return this.#size
  }

  add(work: Work): void {
    this.#size += 1
    this.#heap.push(work)
  }

  /** One that was added waits no longer, as `isWaiting` says by now. */
  dropped(): void {
    this.#size -= 1
    if (this.#heap.length <= 2 * this.#size + MOST_LEFT) return
    this.#heap = new TinyQueue(this.rows(), this.#compare)
  }

  first(): Work | undefined {
    for (let first = this.#heap.peek(); first; first = this.#heap.peek()) {
      if (this.#isWaiting(first)) return first
      this.#heap.pop()
    }
    return undefined
  }

  /** The first of those that are due by then, at most so many, in order. */
  due(most: number, now: number): Work[] {
    const due: Work[] = []
    for (let first = this.first(); first && first.dueAt <= now && due.length < most; first = this.first()) {
      due.push(first)
      this.#heap.pop()
    }
    for (const work of due) this.#heap.push(work)
    return due
  }

  /** All that wait, in no order. */
  rows(): Work[] {
    return this.#heap.data.filter((work) => this.#isWaiting(work))
  }
}
