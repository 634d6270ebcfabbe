import type { Clock, Timer } from '../../lib/clock.ts'

/** Those that began together end together: the shortest wait of the timer, in milliseconds. */
const LEAST_MS = 10

/** Something that takes a while. */
interface Begun {
  /** When it began, by the monotonic clock. */
  readonly since: number
}

/** One time limit for many things, with one timer: for the one that began first, whenever it was added. */
export class TimeLimit<T extends Begun> {
  readonly #clock: Clock
  readonly #limitMs: number
  readonly #onLate: (thing: T) => void
  readonly #begun = new Set<T>()
  #timer: Timer | undefined
  /** For what began then the timer is set. */
  #timerSince = 0

  /** @param onLate - called with each that was not removed in time; it is removed by then */
  constructor(clock: Clock, limitMs: number, onLate: (thing: T) => void) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#onLate = onLate
  }

  add(thing: T): void {
    this.#begun.add(thing)
    if (!this.#timer || thing.since < this.#timerSince) this.#startFor(thing.since)
  }

  remove(thing: T): void {
    this.#begun.delete(thing)
  }

  /** Nothing is late any more. Returns what had not ended. */
  stop(): readonly T[] {
    this.#timer?.cancel()
    this.#timer = undefined
    const left = [...this.#begun]
    this.#begun.clear()
    return left
  }

  #startFor(since: number): void {
    this.#timer?.cancel()
    this.#timerSince = since
    const leftMs = since + this.#limitMs - this.#clock.monotonic()
    this.#timer = this.#clock.setTimeout(() => this.#endLate(), Math.max(LEAST_MS, leftMs))
  }

  #endLate(): void {
    this.#timer = undefined
    const now = this.#clock.monotonic()
    let first = Number.POSITIVE_INFINITY
    for (const thing of this.#begun) {
      if (now - thing.since < this.#limitMs) first = Math.min(first, thing.since)
      else {
        this.#begun.delete(thing)
        this.#onLate(thing)
      }
    }
    if (this.#begun.size > 0 && this.#timer === undefined) this.#startFor(first)
  }
}
