import type { Clock, Timer } from '../../lib/clock.ts'
import type { Collections } from './collections.ts'
import type { Wakeup, Wakeups } from './wakeups.ts'

/** How often the end of the log is looked at while nothing happens, in milliseconds: with a change stream, and without. */
const IDLE_MS = { hinted: 5_000, unhinted: 1_000 }

/** What the poll works with. */
export interface TailPollParts {
  readonly collections: Collections
  readonly wakeups: Wakeups
  readonly clock: Clock
  /** Whether a change stream tells of new commits. */
  readonly isHinted: () => boolean
}

/**
 * Looks at the end of the log for all subscriptions of a store that have nothing to do, with one small command, however
 * many they are. Wakes them when there is something above the lowest of their positions, and when it cannot look: each
 * of them then finds out for itself.
 */
export class TailPoll {
  readonly #parts: TailPollParts
  /** Positions of the subscriptions that wait. */
  readonly #waiting = new Set<{ readonly position: number }>()
  #timer: Timer | undefined
  #isLooking = false

  constructor(parts: TailPollParts) {
    this.#parts = parts
  }

  /** Whether a change stream tells of new commits at this moment. */
  get isHinted(): boolean {
    return this.#parts.isHinted()
  }

  /** Resolves when there may be something above `position`, or when `signal` aborts. */
  async wait(position: number, woken: Wakeup, signal: AbortSignal): Promise<void> {
    const waiting = { position }
    this.#waiting.add(waiting)
    this.#start()
    await woken.happened(signal)
    this.#waiting.delete(waiting)
    if (this.#waiting.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #start(): void {
    if (this.#timer || this.#isLooking || this.#waiting.size === 0) return
    const { clock, isHinted } = this.#parts
    this.#timer = clock.setTimeout(
      () => {
        this.#timer = undefined
        void this.#look()
      },
      isHinted() ? IDLE_MS.hinted : IDLE_MS.unhinted,
    )
  }

  async #look(): Promise<void> {
    this.#isLooking = true
    try {
      const least = Math.min(...[...this.#waiting].map(({ position }) => position))
      if (await holdsMore(this.#parts.collections, least)) this.#parts.wakeups.wake()
    } catch {
      this.#parts.wakeups.wake()
    }
    this.#isLooking = false
    this.#start()
  }
}

/** Whether the log holds something above the position that no fail-over can undo. */
async function holdsMore(collections: Collections, position: number): Promise<boolean> {
  const above = { _id: { $gt: BigInt(position) } }
  const more = await collections.attempt((signal) =>
    collections.majorityEvents.findOne(above, { sort: { _id: 1 }, projection: { _id: 1 }, signal }),
  )
  return more !== null
}
