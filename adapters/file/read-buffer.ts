/** A buffer over a file that is read in chunks. */
export class ReadBuffer {
  readonly #chunks: AsyncIterator<Buffer>
  #bytes: Buffer = Buffer.alloc(0)
  #offset = 0
  #ended = false

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** Read and not skipped yet. */
  get bytes(): Buffer {
    return this.#bytes
  }

  /** Offset of `bytes` in the file. */
  get offset(): number {
    return this.#offset
  }

  /** Reads until `bytes` has at least this length. False: the file ended before. */
  async fill(length: number): Promise<boolean> {
    if (this.#bytes.length >= length) return true
    const chunks = [this.#bytes]
    let filled = this.#bytes.length
    while (filled < length && !this.#ended) {
      const { value, done } = await this.#chunks.next()
      if (done) this.#ended = true
      else {
        chunks.push(value)
        filled += value.length
      }
    }
    this.#bytes = Buffer.concat(chunks, filled)
    return filled >= length
  }

  skip(length: number): void {
    this.#bytes = this.#bytes.subarray(length)
    this.#offset += length
  }
}
