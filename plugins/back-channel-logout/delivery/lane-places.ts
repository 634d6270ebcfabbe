/** A place at an RP, for one request. */
export interface Place {
  /** Harmless when it was left already. */
  leave(): void
}

/**
 * Who may send a request now. More deliveries of an RP may be in hand than requests may be in flight to it: they wait here,
 * so that the next request begins as soon as one is answered, and not after another look at the table.
 */
export class LanePlaces {
  readonly #most: number
  readonly #placesOf: (lane: string) => number
  readonly #taken = new Map<string, number>()
  /** Those that wait, by lane; lanes in turn. */
  readonly #waiting = new Map<string, ((place: Place | undefined) => void)[]>()
  #inFlight = 0
  #waitingInAll = 0

  /**
   * @param most - so many requests are in flight in all
   * @param placesOf - and so many of a lane
   */
  constructor(most: number, placesOf: (lane: string) => number) {
    this.#most = most
    this.#placesOf = placesOf
  }

  /** So many requests are in flight. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** So many deliveries wait for a place. */
  get waiting(): number {
    return this.#waitingInAll
  }

  /** Waits for a place. Undefined: turned away. */
  enter(lane: string): Promise<Place | undefined> {
    if (this.#hasRoom(lane) && !this.#waiting.has(lane)) return Promise.resolve(this.#take(lane))
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(lane)
      if (waiting) waiting.push(resolve)
      else this.#waiting.set(lane, [resolve])
      this.#waitingInAll++
    })
  }

  /** Whoever waits in the lane is not to go on: its RP fails, others may take it later. */
  turnAway(lane: string): void {
    const waiting = this.#waiting.get(lane) ?? []
    this.#waiting.delete(lane)
    this.#waitingInAll -= waiting.length
    for (const resolve of waiting) resolve(undefined)
  }

  /** Nobody that waits is to go on. */
  turnAllAway(): void {
    for (const lane of [...this.#waiting.keys()]) this.turnAway(lane)
  }

  #take(lane: string): Place {
    this.#inFlight++
    this.#taken.set(lane, (this.#taken.get(lane) ?? 0) + 1)
    let isLeft = false
    return {
      leave: () => {
        if (isLeft) return
        isLeft = true
        this.#inFlight--
        const left = (this.#taken.get(lane) ?? 1) - 1
        if (left > 0) this.#taken.set(lane, left)
        else this.#taken.delete(lane)
        this.#letIn(lane)
      },
    }
  }

  /** The lane itself first, then those that wait because there was no room in all. */
  #letIn(first: string): void {
    for (const lane of [first, ...this.#waiting.keys()]) {
      const waiting = this.#waiting.get(lane)
      while (waiting && waiting.length > 0 && this.#hasRoom(lane)) {
        this.#waitingInAll--
        waiting.shift()?.(this.#take(lane))
      }
      if (waiting?.length === 0) this.#waiting.delete(lane)
      if (this.#inFlight >= this.#most) return
    }
  }

  #hasRoom(lane: string): boolean {
    return this.#inFlight < this.#most && (this.#taken.get(lane) ?? 0) < this.#placesOf(lane)
  }
}
