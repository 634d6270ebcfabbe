import type { Clock, Timer } from '../../lib/clock.ts'
import { CommandTimeoutError } from './with-timeout.ts'

/** A command that is under way. */
interface UnderWay {
  readonly since: number
  end(reason: unknown): void
}

/**
 * One time limit for many commands, with one timer: for the one that began first. What `withTimeout` does for one command,
 * at less cost: each look-up of a provider is a command.
 */
export class Deadlines {
  readonly #clock: Clock
  readonly #timeoutMs: number
  /** In the order in which they began, which is that of their ends. */
  readonly #underWay = new Set<UnderWay>()
  #timer: Timer | undefined
  #stopped: { readonly reason: unknown } | undefined

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  /**
   * Runs a command. When the time is over its signal aborts, and the promise is rejected whether the driver obeys or not.
   *
   * @throws CommandTimeoutError, or the reason of `stop()`
   */
  run<T>(command: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#stopped) return Promise.reject(this.#stopped.reason)
    return new Promise((resolve, reject) => {
      const over = new AbortController()
      const underWay: UnderWay = {
        since: this.#clock.monotonic(),
        end: (reason) => {
          this.#underWay.delete(underWay)
          over.abort(reason)
          reject(reason)
        },
      }
      this.#underWay.add(underWay)
      this.#start()
      const done = (answer: () => void): void => {
        this.#underWay.delete(underWay)
        answer()
      }
      command(over.signal).then(
        (value) => done(() => resolve(value)),
        (error: unknown) => done(() => reject(error)),
      )
    })
  }

  /** Ends what is under way, and refuses what comes. */
  stop(reason: unknown): void {
    this.#stopped ??= { reason }
    this.#timer?.cancel()
    for (const underWay of [...this.#underWay]) underWay.end(reason)
  }

  #start(): void {
    const [first] = this.#underWay
    if (!first || this.#timer) return
    const leftMs = first.since + this.#timeoutMs - this.#clock.monotonic()
    this.#timer = this.#clock.setTimeout(
      () => {
        this.#timer = undefined
        this.#endLate()
        this.#start()
      },
      Math.max(0, leftMs),
    )
  }

  #endLate(): void {
    const now = this.#clock.monotonic()
    for (const underWay of [...this.#underWay]) {
      if (now - underWay.since < this.#timeoutMs) return
      underWay.end(new CommandTimeoutError(this.#timeoutMs))
    }
  }
}
