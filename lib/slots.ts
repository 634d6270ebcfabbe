import type { Clock } from './clock.ts'

/** How many things may be under way. */
export interface SlotLimits {
  /** So many at a time. */
  readonly most: number
  /** So many altogether, with those that were overtaken. */
  readonly open: number
  /** After so long a thing is overtaken, in milliseconds: it makes room for another one, and goes on. */
  readonly overtakeMs: () => number
}

/**
 * Slots for things that take a moment and that wait for somebody else, such as commands to a database. One whose answer
 * does not come must not keep all others waiting until its time limit: its connection may be silent, the others not.
 */
export class Slots {
  readonly #clock: Clock
  readonly #limits: SlotLimits
  readonly #onFree: () => void
  #taken = 0
  #open = 0

  /** @param onFree - called when there may be a free slot again */
  constructor(clock: Clock, limits: SlotLimits, onFree: () => void) {
    this.#clock = clock
    this.#limits = limits
    this.#onFree = onFree
  }

  get isFree(): boolean {
    const { most, open } = this.#limits
    return this.#taken < most && this.#open < open
  }

  /** Counts `work` as open until it is done. It may be more than `open` says: whoever asks for a slot looks at that. */
  keepOpen(work: Promise<unknown>): void {
    this.#open++
    const done = (): void => {
      this.#open--
      this.#onFree()
    }
    void work.then(done, done)
  }

  /** Gives `work` a slot, until it is done or overtaken. */
  occupy(work: Promise<unknown>): void {
    this.keepOpen(work)
    this.#taken++
    const leave = (): void => {
      timer.cancel()
      if (left) return
      left = true
      this.#taken--
      this.#onFree()
    }
    let left = false
    const timer = this.#clock.setTimeout(leave, this.#limits.overtakeMs())
    void work.then(leave, leave)
  }
}
