/** What a fact of a client means for what is kept. */
export interface Place {
  readonly isKept: boolean
  /** Who has made room for it. */
  readonly instead?: string
}

/** One whose figures are not kept. */
interface Other {
  readonly count: number
  /** The quarter of an hour in which something happened to it last. */
  readonly at: number
}

/**
 * Whose figures are kept, where there are more clients than places. Who registers clients decides how many there are: one
 * that much happens to takes the place of the one that least happens to, so that nobody can fill all places with clients
 * that hardly do anything. It has to be twice as much, so that two of them do not take one place from each other in turn.
 */
export class BusiestClients {
  readonly #configured: ReadonlySet<string>
  readonly #most: number
  readonly #mostOthers: number
  /** How much has happened to those who are kept, since they are known. */
  readonly #kept = new Map<string, number>()
  readonly #others = new Map<string, Other>()
  /** So much has happened to each of those who are kept, or more. */
  #atLeast = 0

  /**
   * @param configured - these are always kept, and take no place
   * @param mostOthers - so many are known by name beside those whose figures are kept: those seen last
   */
  constructor(most: number, mostOthers: number, configured: readonly string[] = []) {
    this.#configured = new Set(configured)
    this.#most = most
    this.#mostOthers = mostOthers
  }

  /** How many are known whose figures are not kept. */
  get others(): number {
    return this.#others.size
  }

  /**
   * Something has happened to a client, in the quarter of an hour that begins then.
   *
   * @param by - what it counts: nothing for an attempt that failed, of which a delivery may have many
   */
  count(clientId: string, at: number, by: number = 1): Place {
    if (this.#configured.has(clientId)) return { isKept: true }
    const kept = this.#kept.get(clientId)
    if (kept !== undefined || this.#kept.size < this.#most) {
      this.#keep(clientId, (kept ?? this.#others.get(clientId)?.count ?? 0) + by)
      return { isKept: true }
    }
    const count = (this.#others.get(clientId)?.count ?? 0) + by
    this.#remember(clientId, { count, at })
    if (count <= 2 * this.#atLeast) return { isKept: false }
    const [least, leastCount] = this.#least()
    this.#atLeast = leastCount
    if (count <= 2 * leastCount) return { isKept: false }
    this.#kept.delete(least)
    this.#keep(clientId, count)
    this.#remember(least, { count: leastCount, at })
    return { isKept: true, instead: least }
  }

  /** Nothing has happened to others since then, and nothing to those who are kept and are not among these. */
  forgetBefore(at: number, seen: ReadonlySet<string>): void {
    for (const [clientId, other] of this.#others) if (other.at < at) this.#others.delete(clientId)
    for (const clientId of this.#kept.keys()) if (!seen.has(clientId)) this.#kept.delete(clientId)
  }

  #keep(clientId: string, count: number): void {
    this.#others.delete(clientId)
    if (!this.#kept.has(clientId)) this.#atLeast = Math.min(this.#atLeast, count)
    this.#kept.set(clientId, count)
  }

  #remember(clientId: string, other: Other): void {
    this.#others.delete(clientId)
    this.#others.set(clientId, other)
    const [first] = this.#others.keys()
    if (this.#others.size > this.#mostOthers && first !== undefined) this.#others.delete(first)
  }

  #least(): [clientId: string, count: number] {
    let least: [string, number] = ['', Number.POSITIVE_INFINITY]
    for (const one of this.#kept) if (one[1] < least[1]) least = one
    return least
  }
}
