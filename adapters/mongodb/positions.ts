import { Long } from 'mongodb'
import type { Collections } from './collections.ts'

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
  #seen = 0

  constructor(collections: Collections) {
    this.#collections = collections
  }

  /** The highest position that this process has seen: acknowledged, read or delivered. */
  get seen(): number {
    return this.#seen
  }

  see(position: number): void {
    if (position > this.#seen) this.#seen = position
  }

  /** Takes the next `size` positions, above everything that this process has seen. */
  async take(size: number): Promise<Ticket> {
    const counter = await this.#collections.counters.findOneAndUpdate(
      { _id: 'events' },
      [{ $set: { n: { $add: [{ $max: ['$n', Long.fromNumber(this.#seen)] }, Long.fromNumber(size)] } } }],
      { returnDocument: 'after', upsert: true, writeConcern: { w: 1 } },
    )
    return { first: Number(counter?.n) - size + 1, size }
  }
}
