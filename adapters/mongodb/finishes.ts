import type { Document } from 'mongodb'
import { type Clock, oncePerTurn } from '../../lib/clock.ts'
import type { Work } from '../../lib/log/work-table.ts'
import { Slots } from '../../lib/slots.ts'
import type { Collections } from './collections.ts'
import { assertWritten } from './outcome.ts'
import { WRITE_CONCERN } from './settings.ts'

/** So many rows are finished with one command. */
const AT_ONCE = 500

/**
 * One command is under way at a time: the more go with the next, and no request waits for a row to be finished. One that is
 * not answered in a quarter of a second holds the next one up no longer.
 */
const COMMANDS = { most: 1, open: Number.POSITIVE_INFINITY, overtakeMs: () => 250 }

/** A row to finish, and who waits for that. */
interface Waiting {
  readonly work: Work
  readonly at: number
  resolve(isMine: boolean): void
  reject(error: unknown): void
}

/**
 * Marks rows of a work table as done, many with one command: those that come while commands are under way go with the
 * next one.
 */
export class Finishes {
  readonly #collections: Collections
  readonly #table: string
  readonly #slots: Slots
  readonly #schedule = oncePerTurn(() => this.#sendWaiting())
  #waiting: Waiting[] = []

  constructor(collections: Collections, table: string, clock: Clock) {
    this.#collections = collections
    this.#table = table
    this.#slots = new Slots(clock, COMMANDS, () => this.#schedule())
  }

  /** False: somebody else has it by now. */
  finish(work: Work, at: number): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ work, at, resolve, reject })
      this.#schedule()
    })
  }

  #sendWaiting(): void {
    while (this.#waiting.length > 0 && this.#slots.isFree) {
      this.#slots.occupy(this.#send(this.#waiting.splice(0, AT_ONCE)))
    }
  }

  async #send(some: readonly Waiting[]): Promise<void> {
    try {
      const doneAt = Math.max(...some.map(({ at }) => at))
      const isAll = (await this.#update(some, doneAt)) === some.length
      const done = isAll ? undefined : await this.#doneOf(some, doneAt)
      for (const { work, resolve } of some) resolve(done === undefined || done.get(work.id) === work.fence)
    } catch (error) {
      for (const { reject } of some) reject(error)
    }
  }

  /** Returns how many rows were in the hands of those who finish them. */
  async #update(some: readonly Waiting[], doneAt: number): Promise<number> {
    const byHold = new Map<string, Document>()
    for (const { work } of some) {
      const { id, holder, fence } = work
      const hold = JSON.stringify([holder, fence])
      const same = byHold.get(hold)
      if (same) same['q']._id.$in.push(id)
      else {
        byHold.set(hold, {
          q: { _id: { $in: [id] }, state: 'held', holder, fence },
          u: { $set: { state: 'done', doneAt, body: {} }, $unset: { holder: '', claim: '' } },
          multi: true,
        })
      }
    }
    const update = this.#collections.name(this.#table)
    const body = { update, updates: [...byHold.values()], ordered: false, writeConcern: WRITE_CONCERN }
    return this.#collections.withTimeout(async (signal) => {
      const reply = await this.#collections.command(body, { signal })
      assertWritten(reply)
      return Number(reply['n'])
    })
  }

  /**
   * The fences of those that are done at this time. Whoever has another fence than the row's has lost it; with the same one
   * it was an earlier try of this command, whose answer was lost.
   */
  async #doneOf(some: readonly Waiting[], doneAt: number): Promise<ReadonlyMap<string, number>> {
    const ids = some.map(({ work }) => work.id)
    const done = await this.#collections
      .work(this.#table)
      .find({ _id: { $in: ids }, state: 'done', doneAt }, { projection: { fence: 1 } })
      .toArray()
    return new Map(done.map(({ _id, fence }) => [_id, fence]))
  }
}
