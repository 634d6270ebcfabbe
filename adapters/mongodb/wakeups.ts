import type { Clock } from '../../lib/clock.ts'

/** Something to wait for. */
export interface Wakeup {
  /** Whether it has happened. */
  readonly isWoken: boolean
  /** Resolves when woken, when `mostMs` milliseconds have passed, or when `signal` aborts. */
  within(mostMs: number, clock: Clock, signal: AbortSignal): Promise<void>
  /** Resolves when woken, or when `signal` aborts. */
  happened(signal: AbortSignal): Promise<void>
}

/** Wakes subscriptions that wait for new commits. A hint: a woken subscription reads by itself. */
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
    const isWoken = (): boolean => calls !== this.#calls
    const wait = (signal: AbortSignal, limit?: { readonly mostMs: number; readonly clock: Clock }): Promise<void> =>
      new Promise((resolve) => {
        if (isWoken() || signal.aborted) return resolve()
        const done = (): void => {
          this.#waiting.delete(done)
          signal.removeEventListener('abort', done)
          timer?.cancel()
          resolve()
        }
        const timer = limit?.clock.setTimeout(done, limit.mostMs)
        this.#waiting.add(done)
        signal.addEventListener('abort', done, { once: true })
      })
    return {
      get isWoken() {
        return isWoken()
      },
      happened: (signal) => wait(signal),
      within: (mostMs, clock, signal) => wait(signal, { mostMs, clock }),
    }
  }
}
