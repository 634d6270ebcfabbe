import { Long } from 'mongodb'
import type { Clock } from '../../lib/clock.ts'
import type { Collections } from './collections.ts'
import { isPermanent } from './outcome.ts'

/** A ticket older than this is dropped unsent, in milliseconds: retention counts on it. */
const TICKET_MS = 10_000

/** A range of positions that this process may insert at. */
export interface Ticket {
  readonly first: number
  readonly size: number
}

/**
 * Gives out positions. What counts is the counter in the database: never guess a position without it, for a free one
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
   * A ticket for so many appends, taken again until it is good: fresh, and above everything that this process has seen.
   * Undefined: nobody wants it any more.
   *
   * @throws what the server says when it refuses for good
   */
  async ticket(size: number, isWanted: () => boolean): Promise<Ticket | undefined> {
    for (let tries = 0; isWanted(); tries++) {
      const asked = this.#clock.monotonic()
      try {
        const ticket = await this.#take(size)
        if (this.#clock.monotonic() - asked <= TICKET_MS && ticket.first > this.#seen) return ticket
      } catch (error) {
        if (isPermanent(error)) throw error
        await this.#clock.sleep(Math.min(1_000, 10 * 2 ** tries))
      }
    }
    return undefined
  }

  /**
   * Takes the next `size` positions, above everything that this process has seen. Acknowledged by the majority and its
   * journal, as every write here: were the counter lost by a crash or a fail-over between this and the insert, others
   * would be given lower positions than one that was acknowledged before they began.
   */
  async #take(size: number): Promise<Ticket> {
    const counter = await this.#collections.counters.findOneAndUpdate(
      { _id: 'events' },
      [{ $set: { n: { $add: [{ $max: ['$n', Long.fromNumber(this.#seen)] }, Long.fromNumber(size)] } } }],
      { returnDocument: 'after', upsert: true },
    )
    if (!counter) throw new Error('the counter of positions was made and cannot be read')
    return { first: Number(counter.n) - size + 1, size }
  }
}
