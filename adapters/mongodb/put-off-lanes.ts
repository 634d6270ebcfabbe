import { oncePerTurn } from '../../lib/clock.ts'
import type { Collections } from './collections.ts'

/** So many rows are looked at, and for so many lanes at a time. */
const ROWS = 1_000
const LANES = 500

interface Question {
  readonly lane: string
  readonly dueAt: number
  resolve(isPutOff: boolean): void
  reject(error: unknown): void
}

/** Tells in which lanes work waits for a later time: all that ask in the same turn of the event loop share a look. */
export class PutOffLanes {
  readonly #collections: Collections
  readonly #table: string
  readonly #schedule = oncePerTurn(() => this.#askWaiting())
  #waiting: Question[] = []

  constructor(collections: Collections, table: string) {
    this.#collections = collections
    this.#table = table
  }

  /** Whether work of the lane may wait that is due later than that. False: there is none. */
  has(lane: string, dueAt: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ lane, dueAt, resolve, reject })
      this.#schedule()
    })
  }

  #askWaiting(): void {
    while (this.#waiting.length > 0) void this.#ask(this.#waiting.splice(0, LANES))
  }

  async #ask(questions: readonly Question[]): Promise<void> {
    try {
      const lanes = [...new Set(questions.map(({ lane }) => lane))]
      const earliest = Math.min(...questions.map(({ dueAt }) => dueAt))
      const rows = await this.#collections.withTimeout(
        this.#collections
          .work(this.#table)
          .find(
            { state: 'waiting', lane: { $in: lanes }, dueAt: { $gt: earliest } },
            { projection: { lane: 1, _id: 0 } },
          )
          .limit(ROWS)
          .toArray(),
      )
      const found = new Set(rows.map(({ lane }) => lane))
      // Some lanes may lie behind the last row that was looked at.
      for (const { lane, resolve } of questions) resolve(rows.length === ROWS || found.has(lane))
    } catch (error) {
      for (const { reject } of questions) reject(error)
    }
  }
}
