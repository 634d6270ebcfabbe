import { type Clock, sleepOn, type Timer } from '../../lib/clock.ts'

interface Waiting {
  readonly due: number
  readonly fn: () => void
  timer: Timer | undefined
}

/**
 * The clock of a machine that sleeps now and then, on another clock: while it sleeps its monotonic time stands still and no
 * timer fires; the wall clock is right again as soon as it wakes up.
 */
export class NappingClock implements Clock {
  readonly #base: Clock
  readonly #waiting = new Set<Waiting>()
  #sleptMs = 0
  #wrongMs = 0
  #since: number | undefined
  #wake: (() => void) | undefined
  #awake: Promise<void> = Promise.resolve()

  constructor(base: Clock) {
    this.#base = base
  }

  get isAsleep(): boolean {
    return this.#since !== undefined
  }

  /** Resolves when it is awake. */
  get awake(): Promise<void> {
    return this.#awake
  }

  now(): number {
    return this.#base.now() + this.#wrongMs
  }

  /** Its wall clock is set; timers and the monotonic time do not notice. */
  jumpWall(ms: number): void {
    this.#wrongMs += ms
  }

  monotonic(): number {
    const now = this.#since ?? this.#base.monotonic()
    return now - this.#sleptMs
  }

  setTimeout(fn: () => void, delayMs: number): Timer {
    const waiting: Waiting = { due: this.monotonic() + Math.max(0, delayMs), fn, timer: undefined }
    this.#waiting.add(waiting)
    if (!this.isAsleep) this.#schedule(waiting)
    return {
      cancel: () => {
        waiting.timer?.cancel()
        this.#waiting.delete(waiting)
      },
    }
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal)
  }

  fallAsleep(): void {
    if (this.isAsleep) return
    this.#since = this.#base.monotonic()
    for (const waiting of this.#waiting) waiting.timer?.cancel()
    this.#awake = new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  wakeUp(): void {
    if (this.#since === undefined) return
    this.#sleptMs += this.#base.monotonic() - this.#since
    this.#since = undefined
    for (const waiting of this.#waiting) this.#schedule(waiting)
    this.#wake?.()
  }

  #schedule(waiting: Waiting): void {
    waiting.timer = this.#base.setTimeout(
      () => {
        this.#waiting.delete(waiting)
        waiting.fn()
      },
      Math.max(0, waiting.due - this.monotonic()),
    )
  }
}
