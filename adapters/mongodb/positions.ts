import type { Clock } from '../../lib/clock.ts'
import type { Collections } from './collections.ts'
import type { CountersDocument } from './documents.ts'
import { isDiskFull, isPermanent } from './outcome.ts'

/** Positions that were allocated longer ago than this are dropped unused, in milliseconds: retention counts on it. */
const ALLOCATION_MS = 10_000

/** A range of positions that this process may insert at. */
export interface Allocation {
  readonly first: number
  readonly size: number
  /** When it was asked for. */
  readonly asked: Moment
}

/** A moment, by both clocks: the one stands still while a machine sleeps, the other may be set. */
export interface Moment {
  readonly monotonic: number
  readonly wall: number
}

export function momentOf(clock: Clock): Moment {
  return { monotonic: clock.monotonic(), wall: clock.now() }
}

/**
 * Whether positions that were asked for then are too old to be relied on: this process, or its machine, has slept. What is
 * inserted at one that was retired meanwhile would be seen by nobody.
 */
export function isOutdated({ monotonic, wall }: Moment, clock: Clock): boolean {
  return clock.monotonic() - monotonic > ALLOCATION_MS || Math.abs(clock.now() - wall) > ALLOCATION_MS
}

/**
 * Allocates positions. What counts is the counter in the database: never guess a position without it, for a free one
 * may lie below an acknowledged one, and then a destroy written after an upsert would land before it.
 */
export class Positions {
  readonly #collections: Collections
  readonly #clock: Clock
  #seen = 0

  constructor(collections: Collections, clock: Clock) {
    this.#collections = collections
    this.#clock = clock
  }

  /** The highest position that this process has seen: acknowledged, read or delivered. */
  get seen(): number {
    return this.#seen
  }

  see(position: number): void {
    if (position > this.#seen) this.#seen = position
  }

  /**
   * Positions for so many appends, allocated again until they are good: fresh, and above everything that this process
   * has seen. Undefined when no caller waits for them any more.
   *
   * @param onFailure - called with the error of each try
   * @throws what the server says when it refuses for good, or when its disk is full
   */
  async allocate(
    size: number,
    isWanted: () => boolean,
    onFailure: (error: unknown) => void = () => {},
  ): Promise<Allocation | undefined> {
    for (let tries = 0; isWanted(); tries++) {
      const asked = momentOf(this.#clock)
      try {
        const first = await this.#collections.attempt((signal) => this.#move(size, signal))
        if (!isOutdated(asked, this.#clock) && first > this.#seen) return { first, size, asked }
      } catch (error) {
        if (isPermanent(error) || isDiskFull(error)) throw error
        onFailure(error)
      }
      await this.#clock.sleep(Math.min(1_000, 10 * 2 ** tries))
    }
    return undefined
  }

  /**
   * Moves the counter by `size`, above everything that this process has seen. Acknowledged by the majority and its
   * journal, as every write here: were the counter lost by a crash or a fail-over between this and the insert, others
   * would be given lower positions than one that was acknowledged before they began.
   */
  async #move(size: number, signal: AbortSignal): Promise<number> {
    const highest = { $max: ['$n', BigInt(this.#seen)] }
    const counter = await this.#collections.findAndUpdate<CountersDocument>(
      'counters',
      { query: { _id: 'events' }, update: [{ $set: { n: { $add: [highest, BigInt(size)] } } }], upsert: true },
      signal,
    )
    if (!counter) throw new Error('the counter of positions was made and cannot be read')
    return Number(counter.n) - size + 1
  }
}
