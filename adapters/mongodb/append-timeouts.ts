import type { Clock, Timer } from '../../lib/clock.ts'
import { OutcomeUnknownError, StoreUnavailableError } from '../../lib/errors.ts'
import type { Pending } from './pending.ts'

/**
 * How long a caller of `append()` waits at most, in milliseconds. One whose commit may have been sent is told
 * `OUTCOME_UNKNOWN`, and it is found out behind; one whose commit was not is told `STORE_UNAVAILABLE`.
 */
export const APPEND_TIMEOUT_MS = 9_000

/** Answers the appends that have waited too long. */
export class AppendTimeouts {
  readonly #clock: Clock
  readonly #waiting = new Set<Pending>()
  #timer: Timer | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(pending: Pending): void {
    this.#waiting.add(pending)
    this.#start()
  }

  remove(pending: Pending): void {
    this.#waiting.delete(pending)
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** One timer, for whoever waits longest. */
  #start(): void {
    const [first] = this.#waiting
    if (!first || this.#timer) return
    const leftMs = first.since + APPEND_TIMEOUT_MS - this.#clock.monotonic()
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#timer = undefined
        this.#answerLate()
        this.#start()
      },
      Math.max(10, leftMs), // appends that queue together are answered together
    )
  }

  #answerLate(): void {
    const now = this.#clock.monotonic()
    for (const pending of [...this.#waiting]) {
      if (now - pending.since < APPEND_TIMEOUT_MS) continue
      pending.reject(
        pending.sent
          ? new OutcomeUnknownError('MongoDB did not answer in time')
          : new StoreUnavailableError('MongoDB does not answer: nothing was stored, try again later'),
      )
    }
  }
}
