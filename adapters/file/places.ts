import { withRoomFor } from '../memory/growing.ts'
import { PositionSet } from '../memory/position-set.ts'
import type { JournalFile } from './journal-file.ts'
import type { LinePlace } from './journal-format.ts'

/** Where the line of each commit is in one journal file, in 20 bytes for each. */
export class Places {
  readonly file: JournalFile
  readonly #positions = new PositionSet()
  #offsets = new Float64Array(64)
  #lengths = new Uint32Array(64)
  #crcs = new Uint32Array(64)
  #bytes = 0

  constructor(file: JournalFile) {
    this.file = file
  }

  /** The highest position that has a place; 0: none has. */
  get last(): number {
    return this.#positions.last
  }

  /** What the commits take in the file. */
  get bytes(): number {
    return this.#bytes
  }

  /** @param position - above all others */
  add(position: number, { offset, length, crcBefore }: LinePlace): void {
    const index = this.#positions.size
    this.#positions.add(position)
    this.#offsets = withRoomFor(this.#offsets, index + 1)
    this.#lengths = withRoomFor(this.#lengths, index + 1)
    this.#crcs = withRoomFor(this.#crcs, index + 1)
    this.#offsets[index] = offset
    this.#lengths[index] = length
    this.#crcs[index] = crcBefore
    this.#bytes += length
  }

  /** The place of a commit, which is in the file. */
  of(position: number): LinePlace {
    const index = this.#positions.indexOf(position) as number
    return {
      offset: this.#offsets[index] as number,
      length: this.#lengths[index] as number,
      crcBefore: this.#crcs[index] as number,
    }
  }
}
