import type { Clock } from '../../lib/clock.ts'
import type { Collections } from './collections.ts'

/** How long a reading of the server's clock is good for, in milliseconds. */
const READ_EVERY_MS = 60_000

/**
 * The server's clock: read once a minute (`localTime` of `hello`), carried on in between by this process's monotonic
 * clock. All processes that share a database agree on it, however wrong their own clocks are; the time of the answer's
 * way is the error, and it is small beside the waits that go by it.
 */
export class ServerTime {
  readonly #collections: Collections
  readonly #clock: Clock
  #read: { readonly origin: number; readonly at: number } | undefined
  #reading: Promise<number> | undefined

  constructor(collections: Collections, clock: Clock) {
    this.#collections = collections
    this.#clock = clock
  }

  /** Milliseconds since 1970. */
  async now(): Promise<number> {
    const monotonic = this.#clock.monotonic()
    const read = this.#read
    if (read && monotonic - read.at < READ_EVERY_MS) return Math.round(read.origin + monotonic)
    this.#reading ??= this.#ask().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #ask(): Promise<number> {
    const { localTime } = await this.#collections.withTimeout((signal) =>
      this.#collections.command({ hello: 1 }, { signal }),
    )
    const at = this.#clock.monotonic()
    const time = localTime instanceof Date ? localTime.getTime() : this.#clock.now()
    this.#read = { origin: time - at, at }
    return time
  }
}
