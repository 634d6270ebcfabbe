import { createHash } from 'node:crypto'

/** Sums are taken modulo 2^512: nobody finds other commits of the same sum, even if he may choose between two for each. */
const BITS = 512

/**
 * Which commits there are, as one number that does not depend on their order: what retention removes is taken off again.
 * Commits are told by their ids, which their writers have made at random.
 */
export class ContentSum {
  #sum: bigint

  /** @param text - as `toString` has made it */
  constructor(text: string = '') {
    this.#sum = text === '' ? 0n : BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`)
  }

  add({ position, id }: { readonly position: number; readonly id: string }): void {
    const hash = createHash('sha512')
      .update(JSON.stringify([position, id]))
      .digest('hex')
    this.#sum = BigInt.asUintN(BITS, this.#sum + BigInt(`0x${hash}`))
  }

  /** What is left of it without the other. */
  without(other: ContentSum): ContentSum {
    const left = new ContentSum()
    left.#sum = BigInt.asUintN(BITS, this.#sum - other.#sum)
    return left
  }

  toString(): string {
    if (this.#sum === 0n) return ''
    return Buffer.from(this.#sum.toString(16).padStart(BITS / 4, '0'), 'hex').toString('base64url')
  }
}
