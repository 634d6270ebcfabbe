import type { Clock } from '../../lib/clock.ts'

/** Something to wait for, with patience. */
export interface Wakeup {
  /** Resolves when woken, when `mostMs` milliseconds have passed, or when `signal` aborts. */
  within(mostMs: number, clock: Clock, signal: AbortSignal): Promise<void>
}

/** Wakes who waits for new commits. A hint: whoever is woken looks for himself. */
export class Wakeups {
  readonly #waiting = new Set<() => void>()
  #calls = 0

  wake(): void {
    this.#calls++
    for (const wake of [...this.#waiting]) wake()
  }

  /** What to wait for. Asked for before looking, so that what happens between looking and waiting wakes too. */
  next(): Wakeup {
    const calls = this.#calls
    return {
      within: (mostMs, clock, signal) =>
        new Promise((resolve) => {
          const done = (): void => {
            this.#waiting.delete(done)
            signal.removeEventListener('abort', done)
            timer.cancel()
            resolve()
          }
          const timer = clock.setTimeout(done, mostMs)
          if (calls !== this.#calls || signal.aborted) return done()
          this.#waiting.add(done)
          signal.addEventListener('abort', done, { once: true })
        }),
    }
  }
}
