import type { Clock, Timer } from '../../lib/clock.ts'
import { OutcomeUnknownError, StoreUnavailableError } from '../../lib/errors.ts'
import type { Pending } from './pending.ts'

/** An append that was never sent fails after this long, in milliseconds: the database is not there. */
export const UNSENT_MS: number = 10_000

/** An append of unknown outcome is answered after this long, in milliseconds; resolving goes on. */
const UNKNOWN_MS = 60_000

/** How often it is looked who has waited too long, in milliseconds. */
const SWEEP_MS = 1_000

/** Answers the appends that have waited too long. */
export class Patience {
  readonly #clock: Clock
  readonly #waiting = new Set<Pending>()
  #sweeping: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(pending: Pending): void {
    this.#waiting.add(pending)
    this.#sweeping ??= this.#clock.setTimeout(() => {
      this.#sweeping = undefined
      this.#sweep()
    }, SWEEP_MS)
  }

  remove(pending: Pending): void {
    this.#waiting.delete(pending)
  }

  end(): void {
    this.#sweeping?.cancel()
  }

  /** First come first, so once one is young enough, the rest are. */
  #sweep(): void {
    const now = this.#clock.monotonic()
    for (const pending of [...this.#waiting]) {
      const waited = now - pending.since
      if (waited < UNSENT_MS) break
      if (!pending.sent) {
        pending.reject(new StoreUnavailableError('MongoDB does not answer: nothing was stored, try again later'))
      } else if (waited >= UNKNOWN_MS) pending.reject(new OutcomeUnknownError('MongoDB did not answer in time'))
    }
    const [first] = this.#waiting
    if (first) this.add(first)
  }
}
