/** What was seen lately, up to so many: spares looking twice, and nothing depends on it. */
export class Recent {
  readonly #most: number
  readonly #seen = new Set<string>()

  constructor(most: number) {
    this.#most = most
  }

  has(key: string): boolean {
    return this.#seen.has(key)
  }

  /** False: it was not known. */
  delete(key: string): boolean {
    return this.#seen.delete(key)
  }

  /** False: it was seen already. */
  add(key: string): boolean {
    if (this.#seen.has(key)) return false
    this.#seen.add(key)
    const [oldest] = this.#seen
    if (this.#seen.size > this.#most && oldest !== undefined) this.#seen.delete(oldest)
    return true
  }
}
