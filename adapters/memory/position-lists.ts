import { withRoomFor } from './growing.ts'

/**
 * Ascending lists of positions, numbered from 0. All of them lie in one array of numbers: a position takes 4 to 8 bytes, and
 * a list 8. A list of one position, as most are, takes nothing else.
 */
export class PositionLists {
  /** Where a list begins; of a list of one, the position. */
  #starts = new Uint32Array(64)
  #lengths = new Uint32Array(64)
  #positions = new Uint32Array(256)
  #used = 0
  /** Where lists were that grew out of them, by the room that they had. */
  readonly #free = new Map<number, number[]>()

  /** @param list - at most one more than there were */
  add(list: number, position: number): void {
    this.#starts = withRoomFor(this.#starts, list + 1)
    this.#lengths = withRoomFor(this.#lengths, list + 1)
    const length = this.#lengths[list] as number
    if (length === 0) this.#starts[list] = position
    else {
      if (isPowerOfTwo(length)) this.#move(list, length)
      this.#positions[(this.#starts[list] as number) + length] = position
    }
    this.#lengths[list] = length + 1
  }

  lengthOf(list: number): number {
    return this.#lengths[list] ?? 0
  }

  at(list: number, index: number): number {
    const start = this.#starts[list] as number
    return this.#lengths[list] === 1 ? start : (this.#positions[start + index] as number)
  }

  /** A list that is full gets twice as much room. */
  #move(list: number, length: number): void {
    const from = this.#starts[list] as number
    const start = this.#take(2 * length)
    if (length === 1) this.#positions[start] = from
    else {
      this.#positions.copyWithin(start, from, from + length)
      this.#leave(from, length)
    }
    this.#starts[list] = start
  }

  #take(room: number): number {
    const free = this.#free.get(room)?.pop()
    if (free !== undefined) return free
    const start = this.#used
    this.#used += room
    this.#positions = withRoomFor(this.#positions, this.#used)
    return start
  }

  #leave(start: number, room: number): void {
    const free = this.#free.get(room)
    if (free) free.push(start)
    else this.#free.set(room, [start])
  }
}

function isPowerOfTwo(number: number): boolean {
  return (number & (number - 1)) === 0
}
