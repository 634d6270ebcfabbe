import type { Clock } from '../../lib/clock.ts'
import { TimeLimit } from './time-limit.ts'
import { CommandTimeoutError } from './with-timeout.ts'

/** A command that is under way. */
interface UnderWay {
  readonly since: number
  end(reason: unknown): void
}

/** What `withTimeout` does for one command, for many at less cost: each look-up of a provider is a command. */
export class Deadlines {
  readonly #clock: Clock
  readonly #underWay: TimeLimit<UnderWay>
  #stopped: { readonly reason: unknown } | undefined

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock
    this.#underWay = new TimeLimit(clock, timeoutMs, (command) => command.end(new CommandTimeoutError(timeoutMs)))
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
          over.abort(reason)
          reject(reason)
        },
      }
      this.#underWay.add(underWay)
      const done = (answer: () => void): void => {
        this.#underWay.remove(underWay)
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
    for (const underWay of this.#underWay.stop()) underWay.end(reason)
  }
}
