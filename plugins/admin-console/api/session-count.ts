import type { BackChannelLogout, BoundedCount } from 'oidc-provider-eventstore/plugins/back-channel-logout'
import type { Clock } from '../../../lib/index.ts'

/** So long a count is told again, in milliseconds: it costs up to ten commands. */
const FRESH_MS = 60_000

/** How many sessions live, counted once a minute at most, and while nobody asks not at all. */
export class SessionCount {
  readonly #logout: BackChannelLogout
  readonly #clock: Clock
  #counted: { readonly count: Promise<BoundedCount>; readonly at: number } | undefined

  constructor(logout: BackChannelLogout, clock: Clock) {
    this.#logout = logout
    this.#clock = clock
  }

  look(): Promise<BoundedCount> {
    const now = this.#clock.monotonic()
    if (this.#counted && now - this.#counted.at < FRESH_MS) return this.#counted.count
    const counted = { count: this.#logout.countSessions(), at: now }
    counted.count.catch(() => {
      if (this.#counted === counted) this.#counted = undefined
    })
    this.#counted = counted
    return counted.count
  }
}
