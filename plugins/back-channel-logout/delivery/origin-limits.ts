import { RecentLanes } from './recent-lanes.ts'

/**
 * The requests in flight to each origin (RFC 6454), so that many clients behind one host do not meet it all at once. It
 * is all that they share: one of them that fails opens no circuit but its own.
 */
export class OriginLimits {
  readonly #most: number
  readonly #inFlight = new Map<string, number>()
  readonly #originOf = new RecentLanes<string>()

  constructor(most: number) {
    this.#most = most
  }

  /** Takes a place for a request of the lane. False: as many as may be are in flight. */
  enter(lane: string, origin: string): boolean {
    this.#originOf.set(lane, origin)
    const inFlight = this.#inFlight.get(origin) ?? 0
    if (inFlight >= this.#most) return false
    this.#inFlight.set(origin, inFlight + 1)
    return true
  }

  leave(origin: string): void {
    const inFlight = (this.#inFlight.get(origin) ?? 1) - 1
    if (inFlight > 0) this.#inFlight.set(origin, inFlight)
    else this.#inFlight.delete(origin)
  }

  /** How many more requests the lane's origin takes; where that is not known, as many as any. */
  freeSlots(lane: string): number {
    const origin = this.#originOf.get(lane)
    return origin === undefined ? this.#most : this.#most - (this.#inFlight.get(origin) ?? 0)
  }

  /** Lanes whose origin has requests in flight. */
  *known(): Iterable<string> {
    if (this.#inFlight.size === 0) return
    for (const [lane, origin] of this.#originOf) if (this.#inFlight.has(origin)) yield lane
  }
}
