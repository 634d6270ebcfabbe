import { withRoomFor } from './growing.ts'

/** The positions of a log that hold a commit, ascending: 4 bytes for each up to where some are missing, none behind. */
export class PositionSet {
  #sparse = new Uint32Array(0)
  #count = 0
  /** Above it every position is there, up to `last`. */
  #denseAfter = 0
  #last = 0

  get last(): number {
    return this.#last
  }

  /** @param position - above all others */
  add(position: number): void {
    if (position === this.#last + 1) this.#last = position
    else {
      this.#spread()
      this.#last = position
      this.#denseAfter = position - 1
    }
  }

  /** At most so many behind a position, up to `end`, without those that are gone. */
  behind(after: number, limit: number, end: number, gone: ReadonlySet<number>): number[] {
    const found: number[] = []
    for (let index = this.#indexBehind(after); found.length < limit; index++) {
      const position = this.#at(index)
      if (position === undefined || position > end) return found
      if (!gone.has(position)) found.push(position)
    }
    return found
  }

  /** How many positions are below this one, which is in the set; undefined: it is not. */
  indexOf(position: number): number | undefined {
    const index = this.#indexBehind(position - 1)
    return this.#at(index) === position ? index : undefined
  }

  get size(): number {
    return this.#count + this.#last - this.#denseAfter
  }

  #at(index: number): number | undefined {
    if (index < this.#count) return this.#sparse[index]
    const position = this.#denseAfter + 1 + index - this.#count
    return position <= this.#last ? position : undefined
  }

  /** The index of the first position behind this one. */
  #indexBehind(after: number): number {
    if (after >= this.#denseAfter) return this.#count + after - this.#denseAfter
    let [low, high] = [0, this.#count]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#sparse[middle] as number) <= after) low = middle + 1
      else high = middle
    }
    return low
  }

  /** What was dense becomes a list: something is missing behind it. */
  #spread(): void {
    for (let position = this.#denseAfter + 1; position <= this.#last; position++) {
      this.#sparse = withRoomFor(this.#sparse, this.#count + 1)
      this.#sparse[this.#count++] = position
    }
  }
}
