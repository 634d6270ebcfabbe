/**
 * What is remembered of lanes: of the last so many for which it was set. To have forgotten one costs a command, or a few
 * attempts that fail.
 */
export class RecentLanes<V> {
  readonly #most: number
  readonly #byLane = new Map<string, V>()

  constructor(most: number = 10_000) {
    this.#most = most
  }

  get(lane: string): V | undefined {
    return this.#byLane.get(lane)
  }

  set(lane: string, value: V): void {
    this.#byLane.delete(lane)
    this.#byLane.set(lane, value)
    if (this.#byLane.size <= this.#most) return
    const [oldest] = this.#byLane.keys()
    if (oldest !== undefined) this.#byLane.delete(oldest)
  }

  delete(lane: string): void {
    this.#byLane.delete(lane)
  }

  keys(): IterableIterator<string> {
    return this.#byLane.keys()
  }

  values(): IterableIterator<V> {
    return this.#byLane.values()
  }

  [Symbol.iterator](): IterableIterator<[string, V]> {
    return this.#byLane.entries()
  }
}
