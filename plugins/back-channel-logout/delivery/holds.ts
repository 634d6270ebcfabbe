/**
 * RPs that have asked to be left alone for a while (`Retry-After`, RFC 9110 section 10.2.3): nothing is sent to one
 * until then, whichever of its deliveries was answered so. By lane, in the monotonic time of this process.
 */
export class Holds {
  readonly #until = new Map<string, number>()

  /** A longer hold is not shortened by a later answer. */
  hold(lane: string, until: number): void {
    this.#until.set(lane, Math.max(until, this.#until.get(lane) ?? until))
  }

  isHeld(lane: string, now: number): boolean {
    const until = this.#until.get(lane)
    if (until === undefined) return false
    if (now < until) return true
    this.#until.delete(lane)
    return false
  }

  release(lane: string): void {
    this.#until.delete(lane)
  }

  known(): Iterable<string> {
    return this.#until.keys()
  }

  /** When the next hold ends. */
  nextEndAt(now: number): number | undefined {
    const times = [...this.#until.values()].filter((until) => until > now)
    return times.length > 0 ? times.reduce((a, b) => Math.min(a, b)) : undefined
  }
}
