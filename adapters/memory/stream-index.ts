import type { ReadOptions } from '../../lib/log/event-store.ts'
import { NameTable } from './name-table.ts'
import { PositionLists } from './position-lists.ts'

/** The positions of each stream's commits, in about 40 bytes a stream and 6 a position. */
export class StreamIndex {
  readonly #names = new NameTable()
  readonly #lists = new PositionLists()

  /** @param position - not below any other of the stream; it counts once */
  add(stream: string, position: number): void {
    const list = this.#names.add(stream)
    const length = this.#lists.lengthOf(list)
    if (length === 0 || this.#lists.at(list, length - 1) !== position) this.#lists.add(list, position)
  }

  /**
   * The positions up to `end`, without those that are gone. Takes time in proportion to the result and what is gone of it,
   * after a binary search.
   */
  positionsOf(
    stream: string,
    { from, direction = 'forwards', limit = Number.POSITIVE_INFINITY }: ReadOptions,
    end: number,
    gone: ReadonlySet<number>,
  ): number[] {
    const list = this.#names.numberOf(stream)
    if (list === undefined) return []
    const isForwards = direction === 'forwards'
    const to = this.#countBelow((isForwards ? end : Math.min(end, from ?? end)) + 1, list)
    const first = isForwards ? this.#countBelow(from ?? 0, list) : 0
    const found: number[] = []
    for (let index = 0; index < to - first && found.length < limit; index++) {
      const position = this.#lists.at(list, isForwards ? first + index : to - 1 - index)
      if (!gone.has(position)) found.push(position)
    }
    return found
  }

  /** How many of the list's positions are below this one. */
  #countBelow(position: number, list: number): number {
    let low = 0
    let high = this.#lists.lengthOf(list)
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#lists.at(list, middle) < position) low = middle + 1
      else high = middle
    }
    return low
  }
}
