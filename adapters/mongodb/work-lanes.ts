import type { AnyBulkWriteOperation } from 'mongodb'
import type { NextDueOptions } from '../../lib/log/work-table.ts'
import { nonce } from '../../lib/secrets/nonce.ts'
import type { Collections } from './collections.ts'
import type { LaneDocument } from './documents.ts'
import { indexOn, type LogIndex } from './make-indexes.ts'
import { beginning, onlyDuplicates } from './work-queries.ts'

/** Two processes that make the same lane at once are told of a duplicate; so often they look again. */
const MOST_TRIES = 5

/** A lane in which work is in hand is looked at again after so long at the latest, in milliseconds. */
export const RECHECK_MS = 10_000

/** What a look at a lane has shown. */
export interface LaneLook {
  readonly lane: LaneDocument
  /** When work that waits in it is due next, or a lower bound of that; undefined: nothing waits. */
  readonly next: number | undefined
  /** Whether work of it is in hand, somebody's. */
  readonly held: boolean
  /** Whether this look has taken work of it in hand. */
  readonly taken: boolean
}

/**
 * The lanes of a work table: one document for each lane that has open work, so that a claim finds whose turn it is
 * without a look at all that is owed.
 *
 * `dueAt` of a lane is never later than the first due time of work that waits in it, with one exception that ends by
 * itself. Whoever lets work wait (adds it, puts it back, frees it) writes the row first, then *touches* the lane: lowers
 * `dueAt`, and leaves a new mark in `touch`. Only a claim that has looked raises `dueAt`, and only while the mark is the
 * one that it saw before it looked: whatever began to wait since then has touched the lane, or will. A process that dies
 * between the two writes has either added work, and then whoever makes it from the log adds it again; or it had the work
 * in hand. So a lane in which work is in hand is never put off by more than `RECHECK_MS`: that is the exception.
 *
 * A look is several reads, and work that goes from hand to hand meanwhile may be seen by none of them. So it reads what
 * waits, what is in hand, and what waits again: work that was put back in between is seen by the last read. Work that was
 * taken in between is not; therefore whoever takes some leaves a new mark, too, and makes the lane where it is gone.
 */
export class WorkLanes {
  readonly #collections: Collections
  readonly #table: string
  /** Lanes in which work waits since then, and that earlier calls could not touch: the database was away. */
  readonly #untouched = new Map<string, number>()

  constructor(collections: Collections, table: string) {
    this.#collections = collections
    this.#table = table
  }

  /** The indexes that the queries below use. */
  static readonly indexes: readonly LogIndex[] = [indexOn({ turn: 1, dueAt: 1 }), indexOn({ dueAt: 1 })]

  /**
   * Work began to wait in these lanes, the first of it due then. What is left of earlier calls that failed is touched as
   * well: who repeats such a call may find nothing to do, and no lane either. Calls that are under way at the same time
   * write their own lanes only.
   */
  async touch(lanes: ReadonlyMap<string, number>): Promise<void> {
    const untouched = new Map(this.#untouched)
    this.#untouched.clear()
    lower(untouched, lanes)
    try {
      await this.#write([...untouched])
    } catch (error) {
      lower(this.#untouched, untouched)
      throw error
    }
  }

  /** Has the next call touch this lane as well: whether it could be touched is not known. */
  touchLater(lane: string, dueAt: number): void {
    lower(this.#untouched, new Map([[lane, dueAt]]))
  }

  /** Touches what is left of earlier calls that failed. */
  touchRest(): Promise<void> {
    return this.touch(new Map())
  }

  async #write(lanes: readonly (readonly [string, number])[]): Promise<void> {
    if (lanes.length === 0) return
    const touch = newMark()
    const writes = lanes.map(
      ([lane, dueAt]): AnyBulkWriteOperation<LaneDocument> => ({
        updateOne: {
          filter: { _id: lane },
          update: { $min: { dueAt }, $set: { touch }, $setOnInsert: { turn: 0 } },
          upsert: true,
        },
      }),
    )
    for (let tries = 1; ; tries++) {
      try {
        await this.#collections.withTimeout(() => this.#lanes.bulkWrite(writes, { ordered: false }).catch(rethrow))
        return
      } catch (error) {
        if (!(error instanceof MadeTwice) || tries >= MOST_TRIES) throw error
      }
    }
  }

  /** Lanes in which work may be due, those whose turn is longest ago first. */
  due(options: {
    readonly prefix: string
    readonly now: number
    readonly except: readonly string[]
    readonly limit: number
  }): Promise<LaneDocument[]> {
    const { prefix, now, except, limit } = options
    return this.#collections.withTimeout(
      this.#lanes
        .find({ _id: beginning(prefix, except), dueAt: { $lte: now } })
        .sort({ turn: 1 })
        .limit(limit)
        .toArray(),
    )
  }

  /** The earliest time at which work may be due; undefined: none is open. */
  async nextDueAt(prefix: string, { except = [], after }: NextDueOptions = {}): Promise<number | undefined> {
    const wanted = { _id: beginning(prefix, except), ...(after !== undefined && { dueAt: { $gt: after } }) }
    const next = await this.#collections.withTimeout(
      this.#lanes.findOne(wanted, { sort: { dueAt: 1 }, projection: { dueAt: 1 } }),
    )
    return next?.dueAt
  }

  /** The lanes have had their turn: they are due again when something in them is. */
  async served(looks: readonly LaneLook[], turn: number, now: number): Promise<void> {
    const mark = newMark()
    const writes = looks.map(({ lane: { _id, touch }, next, held, taken }): AnyBulkWriteOperation<LaneDocument> => {
      if (next === undefined && !held) return { deleteOne: { filter: { _id, touch } } }
      const recheck = held ? now + RECHECK_MS : Number.POSITIVE_INFINITY
      const dueAt = Math.min(next ?? Number.POSITIVE_INFINITY, recheck)
      const raised = { $cond: [{ $eq: ['$touch', touch] }, dueAt, '$dueAt'] }
      const update = [{ $set: { turn, dueAt: raised, ...(taken && { touch: mark }) } }]
      return { updateOne: { filter: { _id }, update } }
    })
    if (writes.length === 0) return
    const { updated } = await this.#collections.withTimeout(() => this.#lanes.bulkWrite(writes, { ordered: false }))
    const isOneGone = updated < writes.filter((write) => 'updateOne' in write).length
    const taken = looks.flatMap((look) => (look.taken ? look.lane._id : []))
    if (isOneGone) await this.touch(new Map(taken.map((lane) => [lane, now + RECHECK_MS])))
  }

  /** They were passed over, since nobody may claim from them here: others come first. */
  async passedOver(lanes: readonly LaneDocument[], turn: number): Promise<void> {
    if (lanes.length === 0) return
    await this.#collections.withTimeout(() =>
      this.#lanes.updateMany({ _id: { $in: lanes.map(({ _id }) => _id) } }, { $set: { turn } }),
    )
  }

  get #lanes() {
    return this.#collections.lanes(this.#table)
  }
}

/** Keeps the earlier time of each lane. */
function lower(dueAt: Map<string, number>, by: ReadonlyMap<string, number>): void {
  for (const [lane, at] of by) dueAt.set(lane, Math.min(at, dueAt.get(lane) ?? at))
}

function newMark(): string {
  return nonce(9).toString('base64url')
}

class MadeTwice extends Error {}

function rethrow(error: unknown): never {
  throw onlyDuplicates(error) ? new MadeTwice('a lane was made twice', { cause: error }) : error
}
