import { fingerprint, FINGERPRINT_WORDS as WORDS } from './fingerprint.ts'
import { withRoomFor } from './growing.ts'

/** How many names a new table has room for. */
const FIRST = 64

/**
 * Names, numbered from 0 in the order in which they came. It keeps a fingerprint of each and no text: 16 bytes, and about
 * as much for finding it.
 */
export class NameTable {
  #prints = new Uint32Array(FIRST * WORDS)
  /** An open hash table: a name's number + 1, or 0. At most half of it is taken. */
  #slots = new Uint32Array(2 * FIRST)
  readonly #print = new Uint32Array(WORDS)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Undefined: the name is not in the table. */
  numberOf(name: string): number | undefined {
    fingerprint(name, this.#print)
    const number = this.#slots[this.#slotOf(this.#print)] as number
    return number === 0 ? undefined : number - 1
  }

  has(name: string): boolean {
    return this.numberOf(name) !== undefined
  }

  /** The name's number; the next one if it is new. */
  add(name: string): number {
    fingerprint(name, this.#print)
    const slot = this.#slotOf(this.#print)
    const found = this.#slots[slot] as number
    if (found !== 0) return found - 1
    const number = this.#size++
    this.#prints = withRoomFor(this.#prints, this.#size * WORDS)
    this.#prints.set(this.#print, number * WORDS)
    this.#slots[slot] = number + 1
    if (2 * this.#size > this.#slots.length) this.#rehash()
    return number
  }

  /** Where the fingerprint is, or belongs. */
  #slotOf(print: Uint32Array): number {
    const mask = this.#slots.length - 1
    let slot = (print[0] as number) & mask
    for (let number = this.#slots[slot]; number; number = this.#slots[slot]) {
      if (this.#isAt((number - 1) * WORDS, print)) return slot
      slot = (slot + 1) & mask
    }
    return slot
  }

  #isAt(offset: number, print: Uint32Array): boolean {
    for (let word = 0; word < WORDS; word++) {
      if (this.#prints[offset + word] !== print[word]) return false
    }
    return true
  }

  /** All names differ: each goes to the first slot that is free. */
  #rehash(): void {
    const slots = new Uint32Array(2 * this.#slots.length)
    const mask = slots.length - 1
    for (let number = 0; number < this.#size; number++) {
      let slot = (this.#prints[number * WORDS] as number) & mask
      while (slots[slot] !== 0) slot = (slot + 1) & mask
      slots[slot] = number + 1
    }
    this.#slots = slots
  }
}
