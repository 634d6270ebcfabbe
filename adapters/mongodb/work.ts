import type { AnyBulkWriteOperation, Document } from 'mongodb'
import type { Clock } from '../../lib/clock.ts'
import type { JsonObject } from '../../lib/log/commit.ts'
import type {
  BusiestOptions,
  ClaimOptions,
  HastenOptions,
  LaneCount,
  NewWork,
  NextDueOptions,
  OpenWorkOptions,
  OverdueOptions,
  Work,
  WorkTable,
} from '../../lib/log/work-table.ts'
import type { Collections } from './collections.ts'
import type { WorkDocument } from './documents.ts'
import { Finishes } from './finishes.ts'
import { indexOn, type LogIndex } from './make-indexes.ts'
import { PutOffLanes } from './put-off-lanes.ts'
import type { ServerTime } from './server-time.ts'
import { WorkClaims } from './work-claims.ts'
import { workOf } from './work-documents.ts'
import { WorkLanes } from './work-lanes.ts'
import { beginning, onlyDuplicates } from './work-queries.ts'

/** So many rows become due earlier with one command. */
const HASTENED_AT_ONCE = 1_000

/** So many finished rows are removed with one command, and so many times in a row. */
const SWEPT_AT_ONCE = 1_000
const MOST_SWEEPS = 50

/**
 * Work on MongoDB: every write filters on the holder and the fence.
 */
export class MongoWork implements WorkTable {
  readonly #collections: Collections
  readonly #table: string
  readonly #serverTime: ServerTime
  readonly #lanes: WorkLanes
  readonly #claims: WorkClaims
  readonly #finishes: Finishes
  readonly #putOff: PutOffLanes

  constructor(collections: Collections, table: string, serverTime: ServerTime, clock: Clock) {
    this.#collections = collections
    this.#table = table
    this.#serverTime = serverTime
    this.#lanes = new WorkLanes(collections, table)
    this.#finishes = new Finishes(collections, table, clock)
    this.#putOff = new PutOffLanes(collections, table)
    this.#claims = new WorkClaims({
      collections,
      table,
      lanes: this.#lanes,
      clock,
      free: async (claims) => void (await this.#free({ claim: { $in: [...claims] }, state: 'held' })),
    })
  }

  /** The indexes that the queries below use. */
  static readonly indexes: readonly LogIndex[] = [
    indexOn({ state: 1, lane: 1, dueAt: 1, _id: 1, since: 1 }),
    indexOn({ state: 1, dueAt: 1 }),
    indexOn({ holder: 1 }, { partialFilterExpression: { holder: { $exists: true } } }),
    indexOn({ doneAt: 1 }, { partialFilterExpression: { doneAt: { $exists: true } } }),
    indexOn({ state: 1, deadline: 1 }),
    indexOn({ claim: 1 }, { partialFilterExpression: { claim: { $exists: true } } }),
  ]

  async time(): Promise<number> {
    this.#collections.assertOpen()
    return this.#serverTime.now()
  }

  async add(work: readonly NewWork[]): Promise<void> {
    if (work.length === 0) return
    const inserts: AnyBulkWriteOperation<WorkDocument>[] = work.map(({ id, lane, dueAt, deadline, since, body }) => ({
      insertOne: {
        document: {
          _id: id,
          lane,
          dueAt,
          ...(deadline !== undefined && { deadline }),
          ...(since !== undefined && { since }),
          body: structuredClone(body) as Document,
          state: 'waiting',
          fence: 0,
        },
      },
    }))
    const lanes = earliestByLane(work)
    await this.#collections.withTimeout(() =>
      this.#rows.bulkWrite(inserts, { ordered: false }).catch((error: unknown) => {
        if (!onlyDuplicates(error)) throw error // what is there already stays as it is
      }),
    )
    await this.#lanes.touch(lanes)
  }

  claim(options: ClaimOptions): Promise<Work[]> {
    return this.#claims.claim(options)
  }

  claimOverdue(options: OverdueOptions): Promise<Work[]> {
    return this.#claims.claimOverdue(options)
  }

  async hasten(lane: string, dueAt: number, options: HastenOptions = {}): Promise<number> {
    if (!(await this.#putOff.has(lane, dueAt))) return 0
    try {
      return await this.#hasten(lane, dueAt, options)
    } catch (error) {
      this.#lanes.touchLater(lane, dueAt) // who calls again may find nothing left to hasten
      throw error
    }
  }

  /** Some at a time: an RP that was dead for hours has missed more than one command can change in its time. */
  async #hasten(lane: string, dueAt: number, { signal, onProgress }: HastenOptions): Promise<number> {
    let hastened = 0
    while (!signal?.aborted) {
      const later = await this.#collections.withTimeout(
        this.#rows
          .find({ state: 'waiting', lane, dueAt: { $gt: dueAt } }, { projection: { _id: 1 } })
          .limit(HASTENED_AT_ONCE)
          .toArray(),
      )
      if (later.length > 0) {
        const ids = later.map(({ _id }) => _id)
        const { modifiedCount } = await this.#collections.withTimeout(() =>
          this.#rows.updateMany({ _id: { $in: ids }, state: 'waiting', dueAt: { $gt: dueAt } }, { $set: { dueAt } }),
        )
        hastened += modifiedCount
      }
      await this.#lanes.touch(new Map([[lane, dueAt]]))
      onProgress?.(hastened)
      if (later.length < HASTENED_AT_ONCE) break
    }
    return hastened
  }

  async open({ prefix = '', lane, after, limit }: OpenWorkOptions): Promise<Work[]> {
    const documents = await this.#collections.withTimeout(
      this.#rows
        .find({
          state: { $in: ['waiting', 'held'] },
          lane: lane ?? beginning(prefix),
          ...(after && {
            $or: [
              { lane: { $gt: after.lane } },
              { lane: after.lane, dueAt: { $gt: after.dueAt } },
              { lane: after.lane, dueAt: after.dueAt, _id: { $gt: after.id } },
            ],
          }),
        })
        .sort({ lane: 1, dueAt: 1, _id: 1 })
        .limit(limit)
        .toArray(),
    )
    return documents.map(workOf)
  }

  async putBack(work: Work, { dueAt, body }: { readonly dueAt: number; readonly body: JsonObject }): Promise<boolean> {
    const lanes = new Map([[work.lane, dueAt]])
    const isMine = await this.#ifMine(work, {
      $set: { state: 'waiting', dueAt, body: structuredClone(body) as Document },
      $unset: { holder: '', claim: '' },
    })
    await this.#lanes.touch(lanes) // also where it was put back by an earlier call whose answer was lost
    return isMine
  }

  async finish(work: Work, at: number): Promise<boolean> {
    return work.holder === undefined ? false : this.#finishes.finish(work, at)
  }

  async get(id: string): Promise<Work | undefined> {
    const document = await this.#collections.withTimeout(this.#rows.findOne({ _id: id }))
    return document ? workOf(document) : undefined
  }

  nextDueAt(prefix: string = '', options: NextDueOptions = {}): Promise<number | undefined> {
    return this.#lanes.nextDueAt(prefix, options)
  }

  countOpen({ prefix = '', lane }: { readonly prefix?: string; readonly lane?: string } = {}): Promise<number> {
    const open = { state: { $in: ['waiting' as const, 'held' as const] }, lane: lane ?? beginning(prefix) }
    return this.#collections.withTimeout(this.#rows.countDocuments(open))
  }

  /** Reads the index alone: `since` is its last field for this. */
  async busiest({ prefix = '', lanes, limit }: BusiestOptions): Promise<LaneCount[]> {
    const lane = { ...(lanes && { $in: [...lanes] }), ...beginning(prefix) }
    const counts = await this.#collections.withTimeout(
      this.#rows
        .aggregate<{ _id: string; open: number; oldest?: number | null }>([
          { $match: { state: { $in: ['waiting', 'held'] }, lane } },
          { $group: { _id: '$lane', open: { $sum: 1 }, oldest: { $min: '$since' } } },
          { $sort: { open: -1, _id: 1 } },
          { $limit: limit },
        ])
        .toArray(),
    )
    return counts.map(({ _id, open, oldest }) => ({ lane: _id, open, ...(typeof oldest === 'number' && { oldest }) }))
  }

  async sweep(doneBefore: number): Promise<number> {
    let swept = 0
    for (let sweeps = 0; sweeps < MOST_SWEEPS; sweeps++) {
      const old = await this.#collections.withTimeout(
        this.#rows
          .find({ state: 'done', doneAt: { $lt: doneBefore } }, { projection: { _id: 1 } })
          .limit(SWEPT_AT_ONCE)
          .toArray(),
      )
      if (old.length === 0) break
      const ids = old.map(({ _id }) => _id)
      const { deletedCount } = await this.#collections.withTimeout(() =>
        this.#rows.deleteMany({ _id: { $in: ids }, state: 'done', doneAt: { $lt: doneBefore } }),
      )
      swept += deletedCount
      if (old.length < SWEPT_AT_ONCE) break
    }
    return swept
  }

  async holders(): Promise<string[]> {
    const holders = await this.#collections.withTimeout(this.#rows.distinct('holder', { holder: { $exists: true } }))
    return holders.filter((holder) => holder !== undefined)
  }

  free(holder: string): Promise<number> {
    return this.#free({ holder, state: 'held' })
  }

  /** Its lanes are due when it is. */
  async #free(held: { state: 'held'; holder?: string; claim?: { $in: string[] } }): Promise<number> {
    const byLane = [{ $match: held }, { $group: { _id: '$lane', dueAt: { $min: '$dueAt' } } }]
    const lanes = await this.#rows.aggregate<{ _id: string; dueAt: number }>(byLane).toArray()
    if (lanes.length === 0) return 0
    const { modifiedCount } = await this.#collections.withTimeout(() => this.#rows.updateMany(held, FREE))
    await this.#lanes.touch(new Map(lanes.map(({ _id, dueAt }) => [_id, dueAt])))
    return modifiedCount
  }

  async #ifMine({ id, holder, fence }: Work, change: Document): Promise<boolean> {
    if (holder === undefined) return false
    const { matchedCount } = await this.#collections.withTimeout(
      this.#rows.updateOne({ _id: id, state: 'held', holder, fence }, change),
    )
    return matchedCount === 1
  }

  get #rows() {
    return this.#collections.work(this.#table)
  }
}

const FREE: Document = { $set: { state: 'waiting' }, $unset: { holder: '', claim: '' }, $inc: { fence: 1 } }

function earliestByLane(work: readonly NewWork[]): Map<string, number> {
  const lanes = new Map<string, number>()
  for (const { lane, dueAt } of work) lanes.set(lane, Math.min(dueAt, lanes.get(lane) ?? dueAt))
  return lanes
}
